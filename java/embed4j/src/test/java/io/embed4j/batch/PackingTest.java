package io.embed4j.batch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

class PackingTest {
  @Property
  void everySequenceOnceInOrderWithinTheBudget(
      @ForAll List<@IntRange(min = 1, max = 50) Integer> lengths, @ForAll @IntRange(min = 1, max = 100) int budget) {
    List<Sequence> sequences = lengths.stream().map(n -> new Sequence(new int[n], -1, false, false)).toList();
    List<Sequence> packed = new ArrayList<>();
    int previous = Integer.MAX_VALUE;
    for (List<Sequence> batch : Packing.batches(sequences, budget)) {
      int tokens = batch.stream().mapToInt(s -> s.tokenIds().length).sum();
      assertTrue(batch.size() == 1 || tokens <= budget, batch.size() + " sequences of " + tokens + " tokens");
      assertTrue(previous == Integer.MAX_VALUE || previous + batch.getFirst().tokenIds().length > budget,
          "the first of this batch had room in the one before");
      previous = tokens;
      packed.addAll(batch);
    }
    assertEquals(sequences, packed);
  }
}
