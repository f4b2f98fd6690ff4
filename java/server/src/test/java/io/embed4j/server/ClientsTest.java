package io.embed4j.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.jina.JinaEmbeddingModel;
import dev.langchain4j.model.openai.OpenAiEmbeddingModel;
import dev.langchain4j.model.output.Response;
import io.embed4j.EmbeddingRequest;
import io.embed4j.Task;
import io.embed4j.server.RunningServer.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Clients that were written for others, unmodified, and requests as further ones send them. */
class ClientsTest {
  private static final List<TextSegment> TEXTS = List.of(TextSegment.from("hello"), TextSegment.from("world"));
  private static RunningServer server;
  private static List<float[]> expected;

  @BeforeAll
  static void start() {
    server = RunningServer.with();
    try (io.embed4j.EmbeddingModel model = io.embed4j.EmbeddingModel.open(TinyModel.path())) {
      expected = TEXTS.stream().map(text -> model.embed(EmbeddingRequest.text(text.text()).task(Task.TEXT_MATCHING))
          .dense().toArray())
          .toList();
    }
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @Test
  void langChain4jOpenAi() {
    EmbeddingModel model = OpenAiEmbeddingModel.builder().baseUrl(server.base() + "/v1").apiKey("k")
        .modelName("jina-embeddings-v4")
        .maxRetries(0).build();
    assertVectors(model.embedAll(TEXTS));
    EmbeddingModel wrong = OpenAiEmbeddingModel.builder().baseUrl(server.base() + "/v1").apiKey("k").modelName("nope")
        .maxRetries(0).build();
    assertTrue(assertThrows(RuntimeException.class, () -> wrong.embedAll(TEXTS)).getMessage()
        .contains("no such model"));
  }

  @Test
  void langChain4jJina() {
    EmbeddingModel model = JinaEmbeddingModel.builder().baseUrl(server.base() + "/").apiKey("k")
        .modelName("jina-embeddings-v4")
        .maxRetries(0).build();
    assertVectors(model.embedAll(TEXTS));
  }

  private static void assertVectors(Response<List<Embedding>> response) {
    assertEquals(2, response.content().size());
    for (int i = 0; i < 2; i++) assertArrayEquals(expected.get(i), response.content().get(i).vector());
    assertTrue(response.tokenUsage().totalTokenCount() > 2);
  }

  /** langchain_community.embeddings.JinaEmbeddings: input and model only; reads data[].index and data[].embedding. */
  @Test
  void langChainInPython() {
    Answer answer = server.post("{'input': ['hello', 'world'], 'model': 'jina-embeddings-v4'}",
        "Authorization", "Bearer jina_k", "Accept-Encoding", "identity");
    for (int i = 0; i < 2; i++) assertArrayEquals(expected.get(i), answer.vector(i));
    try (RunningServer jina = RunningServer.with("dialect=jina")) {
      Answer refused = jina.post("{'input': ['hello'], 'model': 'jina-embeddings-v2-base-en'}");
      assertTrue(refused.json().at("/detail/message").textValue().contains("no such model"), "it raises detail");
    }
  }

  /** chromadb's JinaEmbeddingFunction: texts and pictures as objects in one list, and any field of Jina's that is set. */
  @Test
  void chroma() throws IOException {
    String png = Base64.getEncoder().encodeToString(Files.readAllBytes(
        Path.of("../cli/src/main/resources/io/embed4j/cli/invoice.png")));
    Answer answer = server.post("{'input': [{'text': 'hello'}, {'image': '" + png + "'}], 'model': 'jina-embeddings-v4', "
        + "'task': 'text-matching', 'truncate': true, 'embedding_type': 'float', 'normalized': true}");
    assertArrayEquals(expected.get(0), answer.vector(0));
    assertEquals(256, answer.vector(1).length);
  }

  /** llama_index.embeddings.jinaai: encoding_type, and task, dimensions and late_chunking when set; of an error, detail. */
  @Test
  void llamaIndex() {
    Answer answer = server.post("{'input': ['hello', 'world'], 'model': 'jina-embeddings-v4', 'encoding_type': 'float', "
        + "'task': 'text-matching', 'dimensions': 256, 'late_chunking': false}", "Accept-Encoding", "identity");
    for (int i = 0; i < 2; i++) assertArrayEquals(expected.get(i), answer.vector(i));
    Answer refused = server.post("{'input': ['hello'], 'model': 'nope', 'encoding_type': 'float'}");
    assertTrue(refused.json().at("/detail/message").textValue().contains("no such model"), "it raises detail");
  }

  /** openai.OpenAI().embeddings.create: base64 unless told otherwise. */
  @Test
  void openAiInPython() {
    Answer answer = server.post("{'input': ['hello', 'world'], 'model': 'jina-embeddings-v4', "
            + "'encoding_format': 'base64'}",
        "Authorization", "Bearer k", "X-Stainless-Lang", "python");
    for (int i = 0; i < 2; i++) {
      assertArrayEquals(expected.get(i), RunningServer.decode(answer.json().at("/data/" + i + "/embedding")));
    }
  }
}
