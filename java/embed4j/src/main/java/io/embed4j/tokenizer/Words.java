package io.embed4j.tokenizer;

import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * A bounded cache from pieces of text to their ids: a direct-mapped table in which a newer piece replaces the one that
 * shares its slot, so it neither grows nor needs a lock. Thread-safe: an entry is one array, never changed once it is
 * published, and what a lost entry costs is merging its piece again.
 */
final class Words {
  private static final int SLOT_BITS = 15;

  /** Longer pieces, in chars, seldom come twice. */
  static final int MAX_LENGTH = 24;

  /** [slot] -> the piece's length in chars, its chars, its ids: side by side, to be found with one memory access. */
  private final AtomicReferenceArray<int[]> slots = new AtomicReferenceArray<>(1 << SLOT_BITS);

  /** The slot of the piece {@code chars[from..to)}. */
  static int slot(char[] chars, int from, int to) {
    int hash = 0;
    for (int i = from; i < to; i++) {
      hash = 31 * hash + chars[i];
    }
    return hash * 0x9E3779B9 >>> Integer.SIZE - SLOT_BITS;
  }

  /** Appends the ids of the piece to {@code ids}, unless the slot holds another piece. Returns whether it did. */
  boolean find(int slot, char[] chars, int from, int to, Ids ids) {
    int[] word = slots.getAcquire(slot);
    int length = to - from;
    if (word == null || word[0] != length) {
      return false;
    }
    for (int i = 0; i < length; i++) {
      if (word[1 + i] != chars[from + i]) {
        return false;
      }
    }
    ids.addFrom(word, 1 + length);
    return true;
  }

  /** Keeps the piece, whose ids are those of {@code ids} from place {@code start} on. */
  void put(int slot, char[] chars, int from, int to, Ids ids, int start) {
    int length = to - from;
    int[] word = new int[1 + length + ids.size() - start];
    word[0] = length;
    for (int i = 0; i < length; i++) {
      word[1 + i] = chars[from + i];
    }
    ids.copyFrom(start, word, 1 + length);
    slots.setRelease(slot, word);
  }
}
