package io.embed4j.tokenizer;

import java.util.Arrays;

/**
 * The symbols of one piece while they are merged: of all adjacent pairs the one with the lowest rank becomes one
 * symbol, the leftmost first among equals, until no pair has a rank (byte-pair encoding, arXiv:1508.07909).
 *
 * <p>Pieces of up to {@value #SHORT} symbols find that pair as the minimum of an array of ints {@code rank | place},
 * which the compiler turns into vector instructions. Longer ones keep the pairs in a heap, n log n in time, so that a
 * megabyte without a break is no way to stop a server.
 *
 * <p>Scratch of one encoding, reused from piece to piece, without arrays until the first one comes; not thread-safe.
 */
final class Symbols {
  private static final int PLACE_BITS = 8;
  private static final int SHORT = 1 << PLACE_BITS;
  private static final int CAPACITY = 32; // bytes of a piece that few exceed
  private static final int[] NONE = {};
  private static final int NO_PAIR = Merges.NO_RANK << PLACE_BITS;

  private final Merges merges;
  private int count; // places taken; those merged away are skipped by the links
  private int[] symbols = NONE; // [place] -> id
  private int[] next = NONE; // [place] -> place of the symbol to the right, count for none
  private int[] previous = NONE; // [place] -> place of the symbol to the left, -1 for none
  private int[] pairs = NONE; // [place of the left symbol] -> the pair's rank, above the place if short
  private long[] heap; // rank << 32 | place, the least first; a pair that has changed since stays until it comes up
  private int heapSize;

  Symbols(Merges merges) {
    this.merges = merges;
  }

  /** Forgets the last piece. */
  void clear() {
    count = 0;
  }

  void add(int id) {
    if (count == symbols.length) {
      symbols = Arrays.copyOf(symbols, Math.max(CAPACITY, Math.addExact(count, count >> 1)));
    }
    symbols[count++] = id;
  }

  /** Merges the symbols and appends those left to {@code ids}. */
  void mergeInto(Ids ids) {
    if (count > next.length) {
      next = new int[symbols.length];
      previous = new int[symbols.length];
      pairs = new int[symbols.length];
    }
    for (int place = 0; place < count; place++) {
      next[place] = place + 1;
      previous[place] = place - 1;
    }
    if (count <= SHORT) {
      mergeShort();
    } else {
      mergeLong();
    }
    for (int place = 0; place < count; place = next[place]) {
      ids.add(symbols[place]);
    }
  }

  private void mergeShort() {
    for (int place = 0; place < count; place++) {
      pairs[place] = shortPair(place);
    }
    while (true) {
      int least = NO_PAIR;
      for (int place = 0; place < count; place++) {
        least = Math.min(least, pairs[place]);
      }
      if (least >= NO_PAIR) {
        return;
      }
      int left = least & SHORT - 1;
      pairs[next[left]] = NO_PAIR;
      join(left, least >> PLACE_BITS);
      pairs[left] = shortPair(left);
      if (previous[left] >= 0) {
        pairs[previous[left]] = shortPair(previous[left]);
      }
    }
  }

  private int shortPair(int left) {
    return rank(left) << PLACE_BITS | left;
  }

  private void mergeLong() {
    heap = new long[count];
    heapSize = 0;
    for (int place = 0; place < count; place++) {
      rankLong(place);
    }
    while (heapSize > 0) {
      long least = pop();
      int left = (int) least;
      int rank = (int) (least >>> Integer.SIZE);
      if (pairs[left] != rank) {
        continue; // merged or changed since it was pushed
      }
      pairs[next[left]] = Merges.NO_RANK;
      join(left, rank);
      rankLong(left);
      if (previous[left] >= 0) {
        rankLong(previous[left]);
      }
    }
    heap = null;
  }

  private void rankLong(int left) {
    pairs[left] = rank(left);
    if (pairs[left] != Merges.NO_RANK) {
      push((long) pairs[left] << Integer.SIZE | left);
    }
  }

  /** The rank of the pair that starts at a place. */
  private int rank(int left) {
    int right = next[left];
    return right == count ? Merges.NO_RANK : merges.rank(symbols[left], symbols[right]);
  }

  /** Puts the result of a merge at {@code left} and drops the symbol to its right. */
  private void join(int left, int rank) {
    int after = next[next[left]];
    symbols[left] = merges.result(rank);
    next[left] = after;
    if (after < count) {
      previous[after] = left;
    }
  }

  private void push(long pair) {
    if (heapSize == heap.length) {
      heap = Arrays.copyOf(heap, heapSize + (heapSize >> 1));
    }
    int at = heapSize++;
    while (at > 0 && heap[at - 1 >>> 1] > pair) {
      heap[at] = heap[at - 1 >>> 1];
      at = at - 1 >>> 1;
    }
    heap[at] = pair;
  }

  private long pop() {
    long least = heap[0];
    long last = heap[--heapSize];
    int at = 0;
    while (true) {
      int child = 2 * at + 1;
      if (child >= heapSize) {
        break;
      }
      if (child + 1 < heapSize && heap[child + 1] < heap[child]) {
        child++;
      }
      if (heap[child] >= last) {
        break;
      }
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return least;
  }
}
