package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.embed4j.DenseEmbedding;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.convert.WeightType;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

/** What a query leaves to the garbage collector beyond its vector; the interpreter, which saves nothing, is the worst case. */
class GarbageTest {
  private static final long MOST_BYTES = 8 * 1024;

  @Test
  void aQueryLeavesLittleGarbage() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    EmbeddingRequest query = EmbeddingRequest.text("Which planet of the solar system is known to us as the red?");
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.of(WeightType.BF16))) {
      long least = Long.MAX_VALUE;
      for (int i = 0; i < 10; i++) { // the first calls also load classes
        long before = threads.getCurrentThreadAllocatedBytes();
        DenseEmbedding embedding = model.embed(query).dense();
        long garbage = threads.getCurrentThreadAllocatedBytes() - before - 4L * embedding.dimensions() - 16;
        assertEquals(16, embedding.tokens());
        least = Math.min(least, garbage);
      }
      assertTrue(least <= MOST_BYTES, least + " bytes a query, expected at most " + MOST_BYTES);
    }
  }
}
