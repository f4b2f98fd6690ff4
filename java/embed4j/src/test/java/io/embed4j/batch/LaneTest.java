package io.embed4j.batch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class LaneTest {
  private static int[] order(int... adapters) {
    List<Sequence> sequences = Arrays.stream(adapters).mapToObj(adapter -> new Sequence(new int[] {1}, adapter, null, List.of(), 0, null)).toList();
    return Lane.byAdapter(sequences);
  }

  @Test
  void sequencesOfOneAdapterFollowEachOtherInTheirOrder() {
    assertArrayEquals(new int[] {1, 4, 0, 3, 5, 2}, order(0, -1, 2, 0, -1, 0));
    assertArrayEquals(new int[] {0, 1, 2}, order(1, 1, 1));
    assertArrayEquals(new int[] {0}, order(2));
  }
}
