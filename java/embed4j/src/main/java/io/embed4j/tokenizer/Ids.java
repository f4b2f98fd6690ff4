package io.embed4j.tokenizer;

import java.util.Arrays;

/** A growing array of token ids. Not thread-safe. */
final class Ids {
  private int[] ids;
  private int size;

  Ids(int capacity) {
    ids = new int[Math.max(capacity, 16)];
  }

  int size() {
    return size;
  }

  void add(int id) {
    reserve(1);
    ids[size++] = id;
  }

  /** Appends {@code array[from..]}: mostly one to three ids, for which a loop is quicker than a call. */
  void addFrom(int[] array, int from) {
    reserve(array.length - from);
    for (int i = from; i < array.length; i++) {
      ids[size++] = array[i];
    }
  }

  /** Copies the ids from place {@code start} on into {@code array[to..]}. */
  void copyFrom(int start, int[] array, int to) {
    System.arraycopy(ids, start, array, to, size - start);
  }

  int[] toArray() {
    return Arrays.copyOf(ids, size);
  }

  private void reserve(int count) {
    int needed = Math.addExact(size, count);
    if (needed > ids.length) {
      ids = Arrays.copyOf(ids, (int) Math.max(needed, Math.min(Integer.MAX_VALUE - 8L, 2L * ids.length)));
    }
  }
}
