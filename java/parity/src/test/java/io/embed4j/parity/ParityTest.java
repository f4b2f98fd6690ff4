package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingModel;
import io.embed4j.TextTokenizer;
import io.embed4j.convert.WeightType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Checkpoint in, vectors out: every text of the reference, for every type of weights. */
class ParityTest {
  @ParameterizedTest
  @EnumSource
  void everyTextOfTheReference(WeightType type) {
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.of(type))) {
      Agreement agreement = Agreement.of(model, Reference.TEXTS);
      System.out.println(type + " on " + model.runtime().cpuTier() + ": " + agreement);
      agreement.require(type);
    }
  }

  @Test
  void theTokenizerOfTheModelGivesTheReferencesIds() {
    TextTokenizer tokenizer = TextTokenizer.open(TinyModel.of(WeightType.F32));
    for (Reference.Case text : Reference.TEXTS) {
      String prefix = text.prompt().equals("passage") && !text.task().equals("text-matching") ? "Passage: " : "Query: ";
      assertArrayEquals(text.ids(), tokenizer.encode(prefix + text.text(), true), text.id());
    }
  }

  @Test
  void theReferenceCoversEveryTask() {
    assertEquals(3, Reference.TEXTS.stream().map(Reference.Case::task).distinct().count());
    assertTrue(Reference.TEXTS.stream().anyMatch(text -> text.ids().length > 1000), "a long text");
  }
}
