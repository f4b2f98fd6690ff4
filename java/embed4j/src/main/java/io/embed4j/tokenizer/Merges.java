package io.embed4j.tokenizer;

import java.util.Arrays;
import java.util.Map;

/**
 * The merges: which pair of adjacent symbols becomes which symbol, and with what rank (lower ranks go first).
 *
 * <p>The pairs lie in one open-addressing table of longs, {@code left (20 bits) | right (20) | rank (22)}, so that a
 * look-up mostly touches one cache line. Immutable; thread-safe.
 */
final class Merges {
  private static final int ID_BITS = 20;
  private static final int RANK_BITS = 22;
  private static final int RANK_MASK = (1 << RANK_BITS) - 1;
  private static final long FREE = -1;

  static final int MAX_TOKENS = 1 << ID_BITS;
  static final int MAX_MERGES = 1 << RANK_BITS;

  /** What {@link #rank} returns for a pair that does not merge: above every rank. */
  static final int NO_RANK = MAX_MERGES;

  private final long[] pairs;
  private final int shift;
  private final int[] results; // [rank] -> id

  /**
   * @param merges {@code "left right"} in rank order, at most {@link #MAX_MERGES}
   * @param ids    token text to id, ids below {@link #MAX_TOKENS}
   * @throws IllegalArgumentException if a merge is not two tokens whose concatenation is a token, or comes twice
   */
  Merges(String[] merges, Map<String, Integer> ids) {
    int slotBits = Integer.SIZE - Integer.numberOfLeadingZeros(merges.length) + 1; // a quarter to half full
    pairs = new long[1 << slotBits];
    Arrays.fill(pairs, FREE);
    shift = Long.SIZE - slotBits;
    results = new int[merges.length];
    for (int rank = 0; rank < merges.length; rank++) {
      String merge = merges[rank];
      int space = merge == null ? -1 : merge.indexOf(' ');
      if (space <= 0 || space == merge.length() - 1 || merge.indexOf(' ', space + 1) >= 0) {
        throw new IllegalArgumentException("merges[" + rank + "] is " + Tokenizer.quoted(merge)
            + ", expected two token texts with one space between them");
      }
      String left = merge.substring(0, space);
      String right = merge.substring(space + 1);
      add(known(left, "left part", ids, rank), known(right, "right part", ids, rank), rank);
      results[rank] = known(left + right, "result", ids, rank);
    }
  }

  /** The rank of a pair of ids, or {@link #NO_RANK}. */
  int rank(int left, int right) {
    long pair = pair(left, right);
    for (int slot = slot(pair); ; slot = slot + 1 & pairs.length - 1) {
      long found = pairs[slot];
      if (found >> RANK_BITS == pair) {
        return (int) found & RANK_MASK;
      }
      if (found == FREE) {
        return NO_RANK;
      }
    }
  }

  /** The id that the merge of this rank makes. */
  int result(int rank) {
    return results[rank];
  }

  private void add(int left, int right, int rank) {
    long pair = pair(left, right);
    int slot = slot(pair);
    for (; pairs[slot] != FREE; slot = slot + 1 & pairs.length - 1) {
      if (pairs[slot] >> RANK_BITS == pair) {
        throw new IllegalArgumentException(
            "merges[" + rank + "] repeats merges[" + (pairs[slot] & RANK_MASK) + "]");
      }
    }
    pairs[slot] = pair << RANK_BITS | rank;
  }

  private static long pair(int left, int right) {
    return (long) left << ID_BITS | right;
  }

  /** Fibonacci hashing: the high bits of the product with 2^64 over the golden ratio. */
  private int slot(long pair) {
    return (int) (pair * 0x9E3779B97F4A7C15L >>> shift);
  }

  private static int known(String token, String role, Map<String, Integer> ids, int rank) {
    Integer id = ids.get(token);
    if (id == null) {
      throw new IllegalArgumentException(
          "merges[" + rank + "]: its " + role + " " + Tokenizer.quoted(token) + " is not among the tokens");
    }
    return id;
  }
}
