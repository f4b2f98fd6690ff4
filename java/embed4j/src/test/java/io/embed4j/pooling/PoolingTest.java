package io.embed4j.pooling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import java.util.List;
import org.junit.jupiter.api.Test;

class PoolingTest {
  private final Matryoshka sizes = new Matryoshka(List.of(128, 256));

  @Test
  void cutsAndScalesToLengthOne() {
    assertArrayEquals(new float[] {0.6f, 0.8f}, Matryoshka.unit(new float[] {3, 4, 12}, 2));
    assertArrayEquals(new float[] {1}, Matryoshka.unit(new float[] {3e-30f, 4}, 1), "tiny values do not vanish");
    assertArrayEquals(new float[] {0, 0}, Matryoshka.unit(new float[] {0, 0}, 2), "zeros have no direction");
  }

  @Test
  void refusesSizesThatAreNotListed() {
    sizes.check(128, 300);
    sizes.check(300, 300);
    for (int wrong : new int[] {-1, 0, 64, 129, 301, Integer.MAX_VALUE}) {
      EmbeddingException e = assertThrows(EmbeddingException.class, () -> sizes.check(wrong, 300));
      assertEquals(EmbeddingException.INVALID_ARGUMENT, e.code());
      assertTrue(e.getMessage().contains("[128, 256]") && e.getMessage().contains(" " + wrong + ","), e.getMessage());
    }
    assertThrows(EmbeddingException.class, () -> sizes.check(256, 128), "a cut vector cannot grow again");
  }

  @Test
  void cosineIsIndependentOfLength() {
    assertEquals(1, Similarity.cosine(new float[] {1, 2}, new float[] {2, 4}), 1e-15);
    assertEquals(-1, Similarity.cosine(new float[] {1, 2}, new float[] {-1, -2}), 1e-15);
    assertEquals(0, Similarity.cosine(new float[] {1, 0}, new float[] {0, 1}));
    assertEquals(0, Similarity.cosine(new float[] {0, 0}, new float[] {0, 1}));
  }

  @Test
  void maxSimSumsTheBestMatchOfEachQueryRow() {
    float[] query = {1, 0, 0, 1};
    float[] document = {0.6f, 0.8f, -1, 0, 0, -1};
    assertEquals(0.6 + 0.8, Similarity.maxSim(query, document, 2), 1e-7);
  }
}
