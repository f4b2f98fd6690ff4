package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.convert.WeightType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.function.Executable;

/** Tests that share an open model, tiny in bf16. */
abstract class OnTinyModel {
  static EmbeddingModel model;

  @BeforeAll
  static void open() {
    model = EmbeddingModel.open(TinyModel.of(WeightType.BF16));
  }

  @AfterAll
  static void close() {
    model.close();
  }

  static EmbeddingException assertRefused(String code, Executable call) {
    EmbeddingException e = assertThrows(EmbeddingException.class, call);
    assertEquals(code, e.code(), e.getMessage());
    return e;
  }
}
