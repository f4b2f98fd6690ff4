package io.embed4j.batch;

import java.util.ArrayList;
import java.util.List;

/** Cuts a list of sequences into batches by a token budget, in order and without padding. */
public final class Packing {
  private Packing() {}

  /** Every sequence once, in order; no batch is above the budget unless it is one longer sequence alone. */
  public static List<List<Sequence>> batches(List<Sequence> sequences, int maxTokens) {
    List<List<Sequence>> batches = new ArrayList<>();
    int begin = 0;
    long tokens = 0;
    for (int i = 0; i < sequences.size(); i++) {
      int length = sequences.get(i).tokenIds().length;
      if (i > begin && tokens + length > maxTokens) {
        batches.add(sequences.subList(begin, i));
        begin = i;
        tokens = 0;
      }
      tokens += length;
    }
    if (begin < sequences.size()) batches.add(sequences.subList(begin, sequences.size()));
    return batches;
  }
}
