package io.embed4j.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.server.RunningServer.Answer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** What the server says of itself agrees with what it does. */
class DocumentsTest {
  @Test
  void theDocumentKnowsEveryRouteAndItsExamplesAreAccepted() {
    try (RunningServer server = RunningServer.with()) {
      JsonNode document = server.get("/openapi.json").json();
      Set<String> described = new TreeSet<>();
      document.get("paths").properties().forEach(path -> path.getValue().properties().forEach(method ->
          described.add(method.getKey().toUpperCase() + " " + path.getKey())));
      assertEquals(Arrays.stream(Front.Route.values()).map(route -> route.method() + " " + route.path())
          .collect(Collectors.toCollection(TreeSet::new)), described);
      references(document, document);
      JsonNode examples = document.at("/paths/~1v1~1embeddings/post/requestBody/content/application~1json/examples");
      assertEquals(200, server.post(examples.at("/OpenAI/value").toString()).status());
      JsonNode fields = document.at("/components/schemas/EmbeddingsRequest/properties");
      assertEquals(Set.of("model", "input", "task", "dimensions", "embedding_type", "late_chunking", "truncate",
          "return_multivector",
          "return_tokenized_input", "normalized", "user"), fields.properties().stream().map(Map.Entry::getKey)
              .collect(Collectors.toSet()));
      Answer success = server.post("{'model': 'tiny', 'input': 'a'}");
      success.json().properties().forEach(field ->
          assertFalse(document.at("/components/schemas/EmbeddingsResponse/properties/" + field.getKey())
              .isMissingNode(), field.getKey()));
    }
  }

  private static void references(JsonNode node, JsonNode document) {
    if (node.has("$ref")) assertFalse(document.at(node.get("$ref").textValue().substring(1)).isMissingNode(),
        node.toString());
    node.forEach(child -> references(child, document));
  }

  @Test
  void thePageNeedsNoNetwork() {
    try (RunningServer server = RunningServer.with()) {
      Answer page = server.get("/docs");
      String html = new String(page.response().body(), StandardCharsets.UTF_8);
      assertTrue(page.response().headers().firstValue("content-type").orElse("").startsWith("text/html"));
      assertTrue(html.contains("fetch(\"openapi.json\")"));
      assertFalse(html.contains("http://") || html.contains("https://") || html.contains("src="),
          "everything is in the page");
      assertTrue(page.response().headers().firstValue("content-security-policy").isPresent());
    }
  }
}
