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

    void add(int[] more) {
        reserve(more.length);
        // pieces are mostly one to three tokens: a loop beats the call
        for (int id : more) {
            ids[size++] = id;
        }
    }

    /** The ids from place {@code from} on. */
    int[] copyFrom(int from) {
        return Arrays.copyOfRange(ids, from, size);
    }

    private void reserve(int count) {
        int needed = Math.addExact(size, count);
        if (needed > ids.length) {
            ids = Arrays.copyOf(ids, (int) Math.max(needed, Math.min(Integer.MAX_VALUE - 8L, 2L * ids.length)));
        }
    }
}
