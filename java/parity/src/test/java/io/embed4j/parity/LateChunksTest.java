package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.ChunkedEmbedding;
import io.embed4j.DenseEmbedding;
import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.Outcome;
import io.embed4j.Prompt;
import io.embed4j.Task;
import io.embed4j.TextSpan;
import io.embed4j.TextTokenizer;
import io.embed4j.batch.Engine;
import io.embed4j.batch.Sequence;
import io.embed4j.batch.StopSignal;
import io.embed4j.batch.Vectors;
import io.embed4j.convert.WeightType;
import io.embed4j.ffm.NativeModel;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Late chunking: one pass, a vector per text or span. */
class LateChunksTest {
  private static final List<String> TEXTS = List.of("Berlin is the capital of Germany.",
      " Its 3.8 million inhabitants make it the largest city of the country.", "Straße, 東京, \uD83D\uDE80!");
  private static EmbeddingModel model;

  @BeforeAll
  static void open() {
    model = EmbeddingModel.open(TinyModel.of(WeightType.F32));
  }

  @AfterAll
  static void close() {
    model.close();
  }

  @Test
  void aListOfOneIsTheTextItself() {
    for (Task task : Task.values()) {
      for (Prompt prompt : Prompt.values()) {
        EmbeddingRequest plain = EmbeddingRequest.text(TEXTS.getFirst()).task(task).prompt(prompt);
        EmbeddingRequest chunked = EmbeddingRequest.lateChunks(TEXTS.subList(0, 1)).task(task).prompt(prompt);
        assertArrayEquals(model.embed(plain).dense().toArray(), only(model.embed(chunked).chunked()).toArray());
        assertArrayEquals(model.embed(plain.dimensions(128)).dense().toArray(),
            only(model.embed(chunked.dimensions(128)).chunked()).toArray());
      }
    }
    TextSpan whole = new TextSpan(0, TEXTS.getFirst().length());
    assertArrayEquals(model.embed(EmbeddingRequest.text(TEXTS.getFirst())).dense().toArray(),
        only(model.embed(EmbeddingRequest.lateChunks(TEXTS.getFirst(), List.of(whole))).chunked()).toArray());
  }

  @Test
  void eachTextGetsTheMeanOfItsOwnTokensInOnePass() {
    TextTokenizer tokenizer = TextTokenizer.open(TinyModel.of(WeightType.F32));
    int[][] ids = new int[TEXTS.size()][];
    for (int i = 0; i < ids.length; i++) ids[i] = tokenizer.encode((i == 0 ? "Passage: " : "") + TEXTS.get(i), false);
    float[][] states = hiddenStates(IntStream.range(0, ids.length).flatMap(i -> IntStream.of(ids[i])).toArray());

    ChunkedEmbedding chunked = model.embed(EmbeddingRequest.lateChunks(TEXTS).prompt(Prompt.PASSAGE)).chunked();
    assertEquals(states.length, chunked.tokens());
    assertEquals(TEXTS.size(), chunked.chunks().size());
    int at = 0;
    for (int i = 0; i < ids.length; i++) {
      DenseEmbedding chunk = chunked.chunks().get(i);
      assertEquals(ids[i].length, chunk.tokens());
      assertMean(states, at, at + ids[i].length, chunk);
      at += ids[i].length;
    }
  }

  @Test
  void spansMayOverlapAndLeaveGaps() {
    String text = "One two three. Four five six. Seven eight nine.";
    List<TextSpan> spans = List.of(new TextSpan(14, 29), new TextSpan(0, 29), new TextSpan(29, text.length()),
        new TextSpan(14, 29));
    List<String> pieces = List.of("One two three.", " Four five six.", " Seven eight nine.");
    TextTokenizer tokenizer = TextTokenizer.open(TinyModel.of(WeightType.F32));
    int[] first = tokenizer.encode("Query: " + pieces.get(0), false);
    int[] second = tokenizer.encode(pieces.get(1), false);
    int[] third = tokenizer.encode(pieces.get(2), false);
    float[][] states = hiddenStates(IntStream.concat(IntStream.of(first),
        IntStream.concat(IntStream.of(second), IntStream.of(third))).toArray());

    List<DenseEmbedding> chunks = model.embed(EmbeddingRequest.lateChunks(text, spans)).chunked().chunks();
    int half = first.length + second.length;
    assertMean(states, first.length, half, chunks.get(0));
    assertMean(states, 0, half, chunks.get(1));
    assertMean(states, half, states.length, chunks.get(2));
    assertArrayEquals(chunks.get(0).toArray(), chunks.get(3).toArray());
    assertTrue(chunks.get(0).cosine(model.embed(EmbeddingRequest.text(pieces.get(1))).dense()) < 0.999,
        "a chunk knows its surroundings");
  }

  @Test
  void whatCannotBeChunkedIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> EmbeddingRequest.lateChunks(List.of()));
    assertThrows(IllegalArgumentException.class, () -> EmbeddingRequest.lateChunks("abc", List.of()));
    assertThrows(IllegalArgumentException.class, () -> EmbeddingRequest.lateChunks("abc", List.of(new TextSpan(1, 4))));
    assertThrows(IllegalArgumentException.class, () -> new TextSpan(2, 2));
    EmbeddingRequest chunks = EmbeddingRequest.lateChunks(TEXTS);
    refused(EmbeddingException.INVALID_ARGUMENT, "multi-vector", chunks.multiVector(true));
    refused(EmbeddingException.INVALID_ARGUMENT, "truncated", chunks.truncate(true));
    refused(EmbeddingException.TOO_LONG, "limit is 9", chunks.maxTokens(9));
    refused(EmbeddingException.INVALID_ARGUMENT, "chunk 1", EmbeddingRequest.lateChunks(List.of("a", "", "b")));
    refused(EmbeddingException.INVALID_ARGUMENT, "", // in the middle of a surrogate pair
        EmbeddingRequest.lateChunks("a\uD83D\uDE80", List.of(new TextSpan(0, 2), new TextSpan(2, 3))));
    List<Outcome> outcomes = model.embedAll(List.of(chunks.maxTokens(9), chunks, EmbeddingRequest.text("a")));
    assertThrows(EmbeddingException.class, () -> outcomes.get(0).orThrow());
    assertArrayEquals(model.embed(chunks).chunked().chunks().get(1).toArray(),
        outcomes.get(1).orThrow().chunked().chunks().get(1).toArray());
    assertEquals(256, outcomes.get(2).orThrow().dense().dimensions());
  }

  private static void refused(String code, String reason, EmbeddingRequest request) {
    EmbeddingException e = assertThrows(EmbeddingException.class, () -> model.embed(request));
    assertEquals(code, e.code(), e.getMessage());
    assertTrue(e.getMessage().contains(reason), e.getMessage());
  }

  /** [n][hidden], one pooled range per token, under the retrieval adapter. */
  private static float[][] hiddenStates(int[] ids) {
    Path files = TinyModel.of(WeightType.F32);
    try (Engine engine = new Engine(new NativeModel.Params(1, files.resolve("text.gguf"), null, null,
        List.of(files.resolve("adapter-retrieval.gguf"))))) {
      List<Sequence.Range> each = IntStream.range(0, ids.length).mapToObj(i -> new Sequence.Range(i, i + 1)).toList();
      Sequence sequence = new Sequence(ids, 0, null, each, engine.info().hiddenSize(), null);
      Vectors vectors = engine.run(List.of(sequence), false, new StopSignal()).getFirst();
      return vectors.pooled().toArray(float[][]::new);
    }
  }

  private static void assertMean(float[][] states, int from, int to, DenseEmbedding chunk) {
    float[] mean = new float[chunk.dimensions()];
    for (int t = from; t < to; t++) {
      for (int i = 0; i < mean.length; i++) mean[i] += states[t][i];
    }
    assertEquals(1, Reference.cosine(mean, chunk.toArray()), 1e-6);
  }

  private static DenseEmbedding only(ChunkedEmbedding chunked) {
    assertEquals(1, chunked.chunks().size());
    return chunked.chunks().getFirst();
  }
}
