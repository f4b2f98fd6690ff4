package io.embed4j.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.embed4j.EmbeddingException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class TensorTypeTest {
  @Test
  void aSegmentThatMayNotBeWrittenIsRefused() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment floats = arena.allocate(4 * 32);
      MemorySegment blocks = arena.allocate(TensorType.Q8_0.rowBytes(32));
      TensorType.Q8_0.quantize(floats, 1, 32, blocks);
      TensorType.Q8_0.dequantize(blocks, 1, 32, floats);
      assertRefused(() -> TensorType.Q8_0.quantize(floats, 1, 32, blocks.asReadOnly()));
      assertRefused(() -> TensorType.Q8_0.dequantize(blocks, 1, 32, floats.asReadOnly()));
    }
  }

  private static void assertRefused(Runnable write) {
    EmbeddingException e = assertThrows(EmbeddingException.class, write::run);
    assertEquals(EmbeddingException.INVALID_ARGUMENT, e.code());
    assertEquals("dst is read-only", e.getMessage());
  }
}
