package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.DenseEmbedding;
import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingRequest;
import io.embed4j.MultiVectorEmbedding;
import io.embed4j.Outcome;
import io.embed4j.Prompt;
import io.embed4j.Task;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a request may ask for, and what it is told when it asks for something else. */
class RequestTest extends OnTinyModel {
  private static final EmbeddingRequest TEXT = EmbeddingRequest.text("Mars is the red planet.");

  @Test
  void aWrongDimensionNamesTheModelsSizes() {
    for (int wrong : new int[] {-1, 1, 64, 129, 512, 2048}) {
      EmbeddingException e = refused(TEXT.dimensions(wrong), EmbeddingException.INVALID_ARGUMENT);
      assertTrue(e.getMessage().contains("[128, 256]") && e.getMessage().contains(String.valueOf(wrong)), e.getMessage());
    }
    assertEquals(128, model.embed(TEXT.dimensions(128)).dense().dimensions());
    refused(TEXT.multiVector(true).dimensions(128), EmbeddingException.INVALID_ARGUMENT);
  }

  @Test
  void cuttingLaterIsCuttingAtOnce() {
    DenseEmbedding whole = model.embed(TEXT).dense();
    assertArrayEquals(model.embed(TEXT.dimensions(128)).dense().toArray(), whole.truncate(128).toArray(), 1e-6f);
    assertThrows(EmbeddingException.class, () -> whole.truncate(64));
    assertThrows(EmbeddingException.class, () -> whole.truncate(128).truncate(256));
    assertThrows(IllegalArgumentException.class, () -> whole.cosine(whole.truncate(128)));
  }

  @Test
  void vectorsHaveLengthOneAndViewsAreReadOnly() {
    DenseEmbedding dense = model.embed(TEXT).dense();
    assertEquals(1, length(dense.toArray()), 1e-6);
    assertArrayEquals(dense.toArray(), dense.segment().toArray(ValueLayout.JAVA_FLOAT));
    assertTrue(dense.segment().isReadOnly());
    MultiVectorEmbedding multi = model.embed(TEXT.multiVector(true)).multiVector();
    assertEquals(multi.tokens(), multi.rows());
    for (float[] row : multi.toArrays()) assertEquals(1, length(row), 1e-5);
    assertEquals(multi.rows(), multi.maxSim(multi), 1e-4, "each row finds itself");
    assertThrows(IllegalStateException.class, multi::dense);
    assertThrows(IllegalStateException.class, dense::multiVector);
    assertThrows(IndexOutOfBoundsException.class, () -> multi.row(multi.rows()));
  }

  @Test
  void aTextAboveTheLimitIsRefusedWithItsCountOrCutOnRequest() {
    EmbeddingRequest tooLong = EmbeddingRequest.text("a ".repeat(33_000));
    EmbeddingException e = refused(tooLong, EmbeddingException.TOO_LONG);
    assertTrue(e.getMessage().contains("33003") && e.getMessage().contains("32768"), e.getMessage());

    refused(TEXT.maxTokens(3), EmbeddingException.TOO_LONG);
    DenseEmbedding cut = model.embed(tooLong.maxTokens(12).truncate(true)).dense();
    assertEquals(12, cut.tokens());
    assertTrue(cut.truncated());
    assertFalse(model.embed(TEXT.truncate(true)).truncated());
    assertArrayEquals(model.embed(EmbeddingRequest.text("a a a a a a a a a a")).dense().toArray(), cut.toArray(),
        "the first tokens are kept: Query, : and ten times a");
    for (int wrong : new int[] {-1, 32_769, Integer.MAX_VALUE}) {
      refused(TEXT.maxTokens(wrong), EmbeddingException.INVALID_ARGUMENT);
    }
  }

  @Test
  void oneBadItemLeavesTheOthersAlone() {
    List<Outcome> outcomes = model.embedAll(List.of(
        TEXT, EmbeddingRequest.text("\uD800"), TEXT.dimensions(7), TEXT.task(Task.CODE).multiVector(true), TEXT));
    assertArrayEquals(model.embed(TEXT).dense().toArray(), outcomes.get(0).orThrow().dense().toArray());
    assertArrayEquals(model.embed(TEXT).dense().toArray(), outcomes.get(4).orThrow().dense().toArray());
    assertEquals(128, outcomes.get(3).orThrow().multiVector().dimensions());
    EmbeddingException surrogate = ((Outcome.Failure) outcomes.get(1)).error();
    assertEquals(EmbeddingException.INVALID_ARGUMENT, surrogate.code());
    assertTrue(surrogate.getMessage().contains("D800") && surrogate.getMessage().contains("index 0"), surrogate.getMessage());
    assertThrows(EmbeddingException.class, () -> outcomes.get(2).orThrow());
    assertEquals(List.of(), model.embedAll(List.of()));
  }

  @Test
  void textFromAUserIsText() {
    EmbeddingRequest injected = EmbeddingRequest.text("a<|im_end|>b");
    assertTrue(model.embed(injected).tokens() > model.embed(injected.specialTokens(true)).tokens(),
        "special tokens are recognised only on request");
  }

  @Test
  void textMatchingHasOneSideOnly() {
    EmbeddingRequest matching = TEXT.task(Task.TEXT_MATCHING);
    assertArrayEquals(model.embed(matching).dense().toArray(),
        model.embed(matching.prompt(Prompt.PASSAGE)).dense().toArray());
    assertTrue(model.embed(TEXT).dense().cosine(model.embed(TEXT.prompt(Prompt.PASSAGE)).dense()) < 0.999);
  }

  @Test
  void emptyTextIsItsPrompt() {
    assertEquals(2, model.embed(EmbeddingRequest.text("")).tokens() - 1);
  }

  @Test
  void unknownLabelsNameTheKnownOnes() {
    EmbeddingException task = assertThrows(EmbeddingException.class, () -> Task.of("retrieval.query"));
    assertTrue(task.getMessage().contains("retrieval, text-matching, code"), task.getMessage());
    EmbeddingException prompt = assertThrows(EmbeddingException.class, () -> Prompt.of("QUERY"));
    assertTrue(prompt.getMessage().contains("query, passage"), prompt.getMessage());
  }

  private static EmbeddingException refused(EmbeddingRequest request, String code) {
    EmbeddingException e = assertRefused(code, () -> model.embed(request));
    if (!code.equals(EmbeddingException.TOO_LONG)) {
      assertEquals(e.getMessage(), assertThrows(EmbeddingException.class, () -> model.check(request)).getMessage());
    }
    return e;
  }

  private static double length(float[] vector) {
    double squares = 0;
    for (float value : vector) squares += (double) value * value;
    return Math.sqrt(squares);
  }
}
