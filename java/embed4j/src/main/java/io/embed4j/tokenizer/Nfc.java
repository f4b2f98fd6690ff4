package io.embed4j.tokenizer;

import static io.embed4j.tokenizer.CodePoints.COMPOSES;
import static io.embed4j.tokenizer.CodePoints.LATER;
import static io.embed4j.tokenizer.CodePoints.MARK;

import java.text.Normalizer;
import java.util.Arrays;

/**
 * Unicode normalisation form C with the repertoire of the reference (Unicode 9.0), whatever the JDK's version.
 *
 * <p>Only what may change goes through {@link Normalizer}. A code point that neither composes with what precedes it nor
 * has a combining class is a normalisation boundary (UAX #15, NFC_Quick_Check), so each run from the last such code
 * point through the marks and composing ones after it is normalised by itself, unless its marks compose with nothing
 * and lie in order. A code point that only later Unicode versions compose or reorder is kept out of the run, which
 * leaves it inert, as an unassigned one is.
 */
final class Nfc {
  /** Below this every code point is a boundary: U+0300 is the first mark. */
  private static final int FIRST_MARK = 0x300;

  /** The JDK orders marks by insertion, quadratic in their number; runs of more chars than this are sorted before. */
  private static final int LONG_RUN = 64;

  private Nfc() {}

  /**
   * The normal form of {@code chars[from..to)}, which holds no unpaired surrogate, as a new array of exactly that
   * text, or {@code null} when the text is in normal form as it stands.
   */
  static char[] normalize(char[] chars, int from, int to) {
    StringBuilder normalized = null;
    int copied = from;
    int boundary = from; // where the last boundary code point starts, or ends if a later Unicode may compose it
    for (int at = from; at < to; ) {
      if (chars[at] < FIRST_MARK) {
        boundary = at++;
        continue;
      }
      int codePoint = Character.codePointAt(chars, at, to);
      int properties = CodePoints.propertiesOf(codePoint);
      if ((properties & (MARK | COMPOSES)) == 0) {
        int next = at + Character.charCount(codePoint);
        boundary = (properties & LATER) != 0 ? next : at;
        at = next;
        continue;
      }
      boolean suspect = false;
      int previousClass = 0;
      do {
        int combiningClass = CodePoints.combiningClassOf(codePoint);
        suspect |= (properties & COMPOSES) != 0 || combiningClass < previousClass;
        previousClass = combiningClass;
        at += Character.charCount(codePoint);
        codePoint = at < to ? Character.codePointAt(chars, at, to) : 0;
        properties = CodePoints.propertiesOf(codePoint);
      } while ((properties & (MARK | COMPOSES)) != 0);
      if (suspect) {
        if (normalized == null) {
          normalized = new StringBuilder(to - from);
        }
        normalized.append(chars, copied, boundary - copied);
        normalized.append(normalizedRun(new String(chars, boundary, at - boundary)));
        copied = at;
      }
      boundary = at;
    }
    if (normalized == null) {
      return null;
    }
    normalized.append(chars, copied, to - copied);
    char[] result = new char[normalized.length()];
    normalized.getChars(0, result.length, result, 0);
    return result;
  }

  private static String normalizedRun(String run) {
    return Normalizer.normalize(run.length() > LONG_RUN ? ordered(run) : run, Normalizer.Form.NFC);
  }

  /** The run with what composes decomposed and each sequence of marks in canonical order: n log n. */
  private static String ordered(String run) {
    StringBuilder decomposed = new StringBuilder(run.length());
    run.codePoints().forEach(codePoint -> {
      String text = Character.toString(codePoint);
      decomposed.append((CodePoints.propertiesOf(codePoint) & COMPOSES) != 0
          ? Normalizer.normalize(text, Normalizer.Form.NFD)
          : text);
    });
    int[] codePoints = decomposed.codePoints().toArray();
    int marks = 0; // where the current sequence of marks starts
    for (int i = 0; i <= codePoints.length; i++) {
      if (i == codePoints.length || CodePoints.combiningClassOf(codePoints[i]) == 0) {
        sort(codePoints, marks, i);
        marks = i + 1;
      }
    }
    return new String(codePoints, 0, codePoints.length);
  }

  /** Sorts by combining class, keeping the order within a class. */
  private static void sort(int[] marks, int from, int to) {
    int[] original = Arrays.copyOfRange(marks, from, to);
    long[] keys = new long[original.length]; // combining class, then place
    for (int i = 0; i < keys.length; i++) {
      keys[i] = (long) CodePoints.combiningClassOf(original[i]) << 32 | i;
    }
    Arrays.sort(keys);
    for (int i = 0; i < keys.length; i++) {
      marks[from + i] = original[(int) keys[i]];
    }
  }
}
