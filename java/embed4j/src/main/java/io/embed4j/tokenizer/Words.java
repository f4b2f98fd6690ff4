package io.embed4j.tokenizer;

import java.util.Arrays;

/**
 * A bounded cache from pieces of text to their ids: a direct-mapped table in which a newer piece replaces the one that
 * shares its slot, so it neither grows nor needs a lock. A slot is read and written without ordering; the entries are
 * immutable objects, which the memory model lets threads see whole or not at all (JLS 17.5), and a lost write costs
 * only the work of merging that piece again.
 */
final class Words {
    private static final int SLOT_BITS = 15;

    /** Longer pieces, in chars, seldom come twice. */
    static final int MAX_LENGTH = 24;

    private static final class Word {
        final char[] chars;
        final int[] ids;

        Word(char[] chars, int[] ids) {
            this.chars = chars;
            this.ids = ids;
        }
    }

    private final Word[] slots = new Word[1 << SLOT_BITS];

    /** The slot of the piece {@code chars[from..to)}. */
    static int slot(char[] chars, int from, int to) {
        int hash = 0;
        for (int i = from; i < to; i++) {
            hash = 31 * hash + chars[i];
        }
        return hash * 0x9E3779B9 >>> Integer.SIZE - SLOT_BITS;
    }

    /** The ids of the piece, not to be changed, or {@code null} when the slot holds another. */
    int[] get(int slot, char[] chars, int from, int to) {
        Word word = slots[slot];
        return word != null && Arrays.equals(word.chars, 0, word.chars.length, chars, from, to) ? word.ids : null;
    }

    void put(int slot, char[] chars, int from, int to, int[] ids) {
        slots[slot] = new Word(Arrays.copyOfRange(chars, from, to), ids);
    }
}
