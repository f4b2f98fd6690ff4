package io.embed4j.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.ChunkedEmbedding;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ImageInput;
import io.embed4j.MultiVectorEmbedding;
import io.embed4j.PdfDocument;
import io.embed4j.Prompt;
import io.embed4j.Task;
import io.embed4j.TextTokenizer;
import io.embed4j.server.RunningServer.Answer;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is asked for, what comes back, and that every vector is the one of the Java API, bit for bit. */
class ContractTest {
  private static final Path FILES = Path.of("../cli/src/main/resources/io/embed4j/cli");
  private static final EmbeddingRequest HELLO = EmbeddingRequest.text("hello").task(Task.TEXT_MATCHING);
  private static RunningServer server;
  private static EmbeddingModel model;

  @BeforeAll
  static void start() {
    server = RunningServer.with("alias=text-embedding-3-small=tiny");
    model = EmbeddingModel.open(TinyModel.path());
  }

  @AfterAll
  static void stop() {
    server.close();
    model.close();
  }

  private static float[] vector(EmbeddingRequest request) {
    return model.embed(request).dense().toArray();
  }

  @Test
  void aSuccessSatisfiesBothDialects() {
    Answer answer = server.post("{'model': 'jina-embeddings-v4', 'input': ['hello', 'wörld']}");
    assertEquals(200, answer.status());
    assertEquals("[model, object, usage, data]", names(answer.json()), "in the order of Jina's own responses");
    assertEquals("jina-embeddings-v4", answer.json().get("model").textValue());
    assertEquals("list", answer.json().get("object").textValue());
    JsonNode usage = answer.json().get("usage");
    int tokens = model.embed(HELLO).tokens() + model.embed(EmbeddingRequest.text("wörld")).tokens();
    assertEquals(tokens, usage.get("total_tokens").intValue());
    assertEquals(tokens, usage.get("prompt_tokens").intValue());
    assertTrue(usage.get("image_tokens").isNull());
    assertEquals(2, answer.json().get("data").size());
    JsonNode second = answer.json().at("/data/1");
    assertEquals("[object, index, embedding]", names(second));
    assertEquals("embedding", second.get("object").textValue());
    assertEquals(1, second.get("index").intValue());
    assertArrayEquals(vector(HELLO), answer.vector(0));
    assertArrayEquals(vector(EmbeddingRequest.text("wörld").task(Task.TEXT_MATCHING)), answer.vector(1));
    assertTrue(answer.response().headers().firstValue("x-request-id").orElse("").matches("[0-9a-f]{32}"));
  }

  @ParameterizedTest
  @CsvSource({"retrieval.query, RETRIEVAL, QUERY", "retrieval.passage, RETRIEVAL, PASSAGE", "code.query, CODE, QUERY",
      "code.passage, CODE, PASSAGE", "text-matching, TEXT_MATCHING, QUERY"})
  void tasksChooseAdapterAndPrompt(String name, Task task, Prompt prompt) {
    float[] expected = vector(EmbeddingRequest.text("hello").task(task).prompt(prompt));
    assertArrayEquals(expected, server.post("{'model': 'tiny', 'input': 'hello', 'task': '" + name + "'}").vector(0));
    assertArrayEquals(expected, server.post("{'model': 'tiny', 'input': {'text': 'hello'}, 'task_type': '" + name
        + "'}").vector(0));
  }

  /** Every name that Jina's servers know a field by. */
  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
      content               | 'hello'
      texts                 | ['hello']
      task_type             | 'retrieval.passage'
      output_dimensionality | 128
      output_dimension      | 128
      truncation            | true
      encoding_format       | 'base64'
      encoding_type         | 'base64'
      embedding_types       | ['base64']
      """)
  void aliases(String alias, String value) {
    Map<String, String> names = Map.of("content", "input", "texts", "input", "task_type", "task", "output_dimensionality",
        "dimensions", "output_dimension", "dimensions", "truncation", "truncate");
    String input = names.getOrDefault(alias, "").equals("input") ? "" : ", 'input': 'hello'";
    Answer expected = server.post("{'model': 'tiny', '" + names.getOrDefault(alias, "embedding_type") + "': " + value
        + input + "}");
    Answer answer = server.post("{'model': 'tiny', '" + alias + "': " + value + input + "}");
    assertEquals(200, answer.status(), () -> answer.json().toString());
    assertEquals(expected.json(), answer.json());
    String plain = server.post("{'model': 'tiny', 'input': 'hello'}").json().toString();
    boolean changes = !names.getOrDefault(alias, "").matches("input|truncate");
    assertEquals(changes, !plain.equals(answer.json().toString()), "the field was heeded");
  }

  /** Clients that send every field they know. */
  @Test
  void fieldsThatAreNullStandForTheirDefaults() {
    Answer plain = server.post("{'model': 'tiny', 'input': 'hello'}");
    Answer nulls = server.post("{'model': 'tiny', 'input': 'hello', 'task': null, 'dimensions': null, "
        + "'embedding_type': null, 'late_chunking': null, 'truncate': null, 'return_multivector': null, "
        + "'return_tokenized_input': null, 'normalized': null, 'user': null}");
    assertEquals(plain.json(), nulls.json());
  }

  @Test
  void encodings() {
    float[] expected = vector(HELLO);
    for (String field : List.of("embedding_type", "encoding_format", "encoding_type", "embedding_types")) {
      Answer base64 = server.post("{'model': 'tiny', 'input': 'hello', '" + field + "': 'base64'}");
      assertArrayEquals(expected, RunningServer.decode(base64.json().at("/data/0/embedding")));
    }
    int[] bits = new int[expected.length / 8];
    for (int i = 0; i < expected.length; i++) bits[i / 8] |= expected[i] > 0 ? 128 >> i % 8 : 0;
    Answer unsigned = server.post("{'model': 'tiny', 'input': 'hello', 'embedding_type': ['ubinary']}");
    Answer signed = server.post("{'model': 'tiny', 'input': 'hello', 'embedding_type': 'binary'}");
    for (int i = 0; i < bits.length; i++) {
      assertEquals(bits[i], unsigned.vector(0)[i]);
      assertEquals(bits[i] - 128, signed.vector(0)[i]);
    }
    JsonNode both = server.post("{'model': 'tiny', 'input': 'hello', 'embedding_type': ['float', 'base64', 'float']}")
        .json().at("/data/0/embedding");
    assertEquals("[float, base64]", names(both));
    assertArrayEquals(expected, RunningServer.decode(both.get("base64")));
    assertEquals(expected[7], both.get("float").get(7).floatValue());
  }

  @Test
  void sizesAndLengths() {
    assertArrayEquals(vector(HELLO.dimensions(128)),
        server.post("{'model': 'tiny', 'input': 'hello', 'dimensions': 128}").vector(0));
    assertArrayEquals(vector(HELLO.dimensions(128)),
        server.post("{'model': 'tiny', 'input': 'hello', 'output_dimension': 128, 'normalized': true}").vector(0));
    float[] plain = server.post("{'model': 'tiny', 'input': 'hello', 'normalized': false}").vector(0);
    assertArrayEquals(vector(HELLO.normalized(false)), plain);
    assertFalse(Arrays.equals(vector(HELLO), plain));
  }

  @Test
  void tokenIds() {
    int[] ids = TextTokenizer.open(TinyModel.path()).encode("Query: hello", false);
    String list = Arrays.toString(ids);
    assertArrayEquals(vector(HELLO), server.post("{'model': 'tiny', 'input': " + list + "}").vector(0));
    Answer several = server.post("{'model': 'tiny', 'input': [" + list + ", [1, 2]]}");
    assertArrayEquals(vector(HELLO), several.vector(0));
    assertArrayEquals(vector(EmbeddingRequest.tokens(new int[] {1, 2}).task(Task.TEXT_MATCHING)), several.vector(1));
    assertEquals(ids.length + 2, several.json().at("/usage/total_tokens").intValue());
    assertEquals("input[1]", server.post("{'model': 'tiny', 'input': ['a', [-1]]}").json().at("/error/param")
        .textValue());
    assertEquals(400, server.post("{'model': 'tiny', 'input': [[1, 2.5]]}").status());
    assertEquals(400, server.post("{'model': 'tiny', 'input': [[1, 99999999999]]}").status());
    assertEquals(400, server.post("{'model': 'tiny', 'input': [[]]}").status());
  }

  @Test
  void lateChunks() {
    Answer answer = server.post("{'model': 'tiny', 'input': ['Berlin is big.', ' It lies on the Spree.'], "
        + "'late_chunking': true}");
    ChunkedEmbedding expected = model.embed(EmbeddingRequest.lateChunks(List.of("Berlin is big.",
        " It lies on the Spree."))
        .task(Task.TEXT_MATCHING)).chunked();
    assertEquals(2, answer.json().get("data").size());
    for (int i = 0; i < 2; i++) assertArrayEquals(expected.chunks().get(i).toArray(), answer.vector(i));
    assertEquals(expected.tokens(), answer.json().at("/usage/total_tokens").intValue());
    assertEquals(422, server.post("{'model': 'tiny', 'input': [[1]], 'late_chunking': true}").status());
  }

  @Test
  void multiVectors() {
    Answer answer = server.post("{'model': 'tiny', 'input': ['hello you'], 'return_multivector': true, "
        + "'return_tokenized_input': true, 'embedding_type': 'base64'}");
    MultiVectorEmbedding expected = model.embed(EmbeddingRequest.text("hello you").task(Task.TEXT_MATCHING)
        .multiVector(true)).multiVector();
    JsonNode item = answer.json().at("/data/0");
    assertEquals("[object, index, embeddings, tokenized_input]", names(item));
    assertEquals("embeddings", item.get("object").textValue());
    assertEquals(expected.rows(), item.get("embeddings").size());
    for (int i = 0; i < expected.rows(); i++) {
      assertArrayEquals(expected.row(i), RunningServer.decode(item.get("embeddings").get(i)));
    }
    assertEquals("[\"Query\",\":\",\" hello\",\" you\"]", item.get("tokenized_input").toString());
    assertEquals(422, server.post("{'model': 'tiny', 'input': 'a', 'return_multivector': true, 'dimensions': 128}")
        .status());
    assertEquals(422, server.post("{'model': 'tiny', 'input': 'a', 'return_tokenized_input': true}").status());
    for (int dimensions : new int[] {0, 2049}) { // out of the schema's 1 .. 2048
      assertEquals(422, server.post("{'model': 'tiny', 'input': 'a', 'task': 'text-matching', 'dimensions': "
          + dimensions + "}").status());
    }
  }

  @Test
  void picturesAmongTexts() throws IOException {
    byte[] png = Files.readAllBytes(FILES.resolve("invoice.png"));
    String base64 = Base64.getEncoder().encodeToString(png);
    float[] expected = vector(EmbeddingRequest.image(ImageInput.of(png)).task(Task.TEXT_MATCHING));
    Answer answer = server.post("{'model': 'tiny', 'input': [{'image': '" + base64
        + "'}, 'hello', {'image': 'data:image/png;base64,"
        + base64 + "'}, {'bytes': '" + base64 + "'}]}");
    assertEquals(200, answer.status(), () -> answer.json().toString());
    for (int i : new int[] {0, 2, 3}) assertArrayEquals(expected, answer.vector(i));
    assertArrayEquals(vector(HELLO), answer.vector(1));
    int tokens = model.embed(EmbeddingRequest.image(ImageInput.of(png))).imageTokens();
    assertEquals(3 * tokens, answer.json().at("/usage/image_tokens").intValue());
  }

  @Test
  void pagesOfAPdf() throws IOException {
    byte[] pdf = Files.readAllBytes(FILES.resolve("report.pdf"));
    String document = "{'pdf': '" + Base64.getEncoder().encodeToString(pdf) + "'}";
    Answer answer = server.post("{'model': 'tiny', 'input': " + document + ", 'task': 'retrieval.passage'}");
    try (PdfDocument open = PdfDocument.open(pdf)) {
      assertEquals(open.pageCount(), answer.json().get("data").size());
      assertArrayEquals(vector(EmbeddingRequest.image(open.page(2))), answer.vector(1));
    }
    Answer listed = server.post("{'model': 'tiny', 'input': [" + document + "]}");
    assertEquals(422, listed.status());
    assertEquals("body -> input -> 0 -> pdf", listed.json().at("/errors/0/field").textValue());
  }

  @Test
  void longTexts() {
    String text = "a b ".repeat(20_000);
    Answer refused = server.post("{'model': 'tiny', 'input': ['x', '" + text + "'], 'truncate': false}");
    assertEquals(400, refused.status());
    assertEquals("INPUT_TOKEN_LIMIT_EXCEEDED", refused.json().at("/detail/code").textValue());
    assertTrue(refused.json().at("/detail/message").textValue().startsWith("input[1]: "), refused.json().toString());
    Answer openAi = server.post("{'model': 'tiny', 'input': '" + text + "'}");
    assertEquals("context_length_exceeded", openAi.json().at("/error/code").textValue());
    try (RunningServer brief = RunningServer.with("max-input-tokens=50")) {
      Answer cut = brief.post("{'model': 'tiny', 'input': '" + text + "', 'truncation': true}");
      assertEquals(50, cut.json().at("/usage/total_tokens").intValue());
      EmbeddingRequest request = EmbeddingRequest.text(text).task(Task.TEXT_MATCHING).maxTokens(50).truncate(true);
      assertArrayEquals(vector(request), cut.vector(0));
      assertTrue(brief.post("{'model': 'tiny', 'input': '" + text + "'}").error().contains("the limit is 50"));
    }
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = """
      {'model': 'nope', 'input': 'a'}                                       | 404 | model          | model_not_found
      {'input': 'a'}                                                        | 400 | model          |
      {'model': 'tiny'}                                                     | 400 | input          |
      {'model': 'tiny', 'input': []}                                        | 400 | input          |
      {'model': 'tiny', 'input': ''}                                        | 400 | input          |
      {'model': 'tiny', 'input': ['a', '']}                                 | 400 | input[1]       |
      {'model': 'tiny', 'input': ['a', 5.5]}                                | 400 | input[1]       |
      {'model': 'tiny', 'input': [['a'], 'b']}                              | 400 | input[0]       |
      {'model': 'tiny', 'input': true}                                      | 400 | input          |
      {'model': 'tiny', 'input': 'a', 'dimensions': 100}                    | 400 | dimensions     |
      {'model': 'tiny', 'input': 'a', 'dimensions': '128'}                  | 400 | dimensions     |
      {'model': 'tiny', 'input': 'a', 'dimensions': 1e999}                  | 400 | dimensions     |
      {'model': 'tiny', 'input': 'a', 'encoding_format': 'hex'}             | 400 | encoding_format |
      {'model': 'tiny', 'input': 'a\\ud800'}                                | 400 | input          |
      {'model': 5, 'input': 'a'}                                            | 400 | model          |
      """)
  void openAiErrors(String body, int status, String param, String code) {
    Answer answer = server.post(body);
    assertEquals(status, answer.status(), () -> answer.json().toString());
    assertEquals("[message, type, param, code]", names(answer.json().get("error")));
    assertEquals("invalid_request_error", answer.json().at("/error/type").textValue());
    assertEquals(param, answer.json().at("/error/param").textValue());
    assertEquals(code, answer.json().at("/error/code").textValue());
  }

  @Test
  void jinaErrors() {
    Answer invalid = server.post("{'model': 'tiny', 'input': ['a', 7], 'dimensions': -1, 'task': 'retrieval'}");
    assertEquals(422, invalid.status());
    assertEquals("[detail, request_id, errors]", names(invalid.json()));
    assertEquals(3, invalid.json().get("errors").size());
    assertEquals("[field, message, type, input]", names(invalid.json().at("/errors/0")));
    assertEquals("body -> input -> 1", invalid.json().at("/errors/0/field").textValue());
    assertEquals("body -> task", invalid.json().at("/errors/2/field").textValue());
    Answer unknown = server.post("{'model': 'nope', 'input': 'a', 'task': 'text-matching'}");
    assertEquals(400, unknown.status());
    assertEquals("INPUT_MODEL_NOT_FOUND", unknown.json().at("/detail/code").textValue());
    assertEquals("[message, request_id, code]", names(unknown.json().get("detail")));
    assertEquals(422, server.post("{'model': 'tiny', 'input': 'a', 'task': 'text-matching', 'late_chunking': 'yes'}")
        .status());
    assertEquals(422, server.post("{'model': 'tiny', 'input': {'text': 'a', 'image': 'b'}}").status());
    assertEquals(422, server.post("{'model': 'tiny', 'input': {'image': 'http://example.com/a.png'}}").status(),
        "not fetched");
    String items = Collections.nCopies(513, "'a'").toString();
    assertEquals(422, server.post("{'model': 'tiny', 'input': " + items + ", 'task': 'code.query'}").status());
  }

  @Test
  void limitsOfItems() {
    String most = IntStream.range(0, 2048).mapToObj(i -> "[" + i + "]").collect(Collectors.joining(",", "[", "]"));
    Answer answer = server.post("{'model': 'tiny', 'encoding_format': 'base64', 'input': " + most + "}");
    assertEquals(2048, answer.json().get("data").size());
    for (int i = 0; i < 2048; i += 500) {
      assertArrayEquals(vector(EmbeddingRequest.tokens(new int[] {i}).task(Task.TEXT_MATCHING)),
          RunningServer.decode(answer.json().at("/data/" + i + "/embedding")));
    }
    assertEquals(400, server.post("{'model': 'tiny', 'input': " + most.replace("]]", "],[1]]") + "}").status());
  }

  @Test
  void unknownFieldsAreIgnoredAndNamesMayBeAliases() {
    Answer answer = server.post("{'model': 'text-embedding-3-small', 'input': 'hello', 'user': 'me', "
        + "'x': {'y': [1]}, 'task': null}");
    assertEquals("text-embedding-3-small", answer.json().get("model").textValue());
    assertArrayEquals(vector(HELLO), answer.vector(0));
    assertEquals(422, server.post("{'model': 'tiny', 'input': 'a', 'texts': 'b'}").status(), "twice under two names");
    assertEquals(400, server.post("{'model': 'tiny', 'input': 'a', 'input': 'b'}").status(), "twice under one name");
  }

  @Test
  void models() {
    JsonNode list = server.get("/v1/models").json();
    assertEquals("list", list.get("object").textValue());
    assertEquals("tiny", list.at("/data/0/id").textValue());
    assertEquals("[\"text\",\"image\",\"pdf\"]", list.at("/data/0/input_modalities").toString());
    assertEquals(32_768, server.get("/v1/models/jinaai%2Fjina-embeddings-v4").json().get("context_length").intValue());
    assertEquals(404, server.get("/v1/models/nope").status());
    assertEquals(404, server.get("/v1/models/%25zz").status());
  }

  @Test
  void otherRoutes() {
    for (String path : List.of("/health", "/live", "/ready")) assertEquals("ok", server.get(path).json().get("status")
        .textValue());
    assertEquals(404, server.get("/v2").status());
    assertEquals(405, server.get("/v1/embeddings").status());
    assertEquals(415, server.send(server.request("/v1/embeddings").POST(BodyPublishers.ofString("{}"))
        .build()).status());
    String metrics = new String(server.get("/metrics").response().body(), StandardCharsets.UTF_8);
    assertTrue(metrics.contains("embed4j_queue_tokens{model=\"tiny\"} "), metrics);
  }

  private static String names(JsonNode object) {
    return object.properties().stream().map(Map.Entry::getKey).toList().toString();
  }
}
