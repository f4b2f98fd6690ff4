package io.embed4j.tokenizer;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Objects;

/**
 * The properties of every Unicode code point that the tokenizer asks for, one byte each, read from
 * {@code code-points.txt} beside this class.
 *
 * <p>The table is our own, not {@link Character#getType}, because ids must not change with the Java version: JDK 22
 * knows Unicode 15.1, JDK 25 knows 16.0, and the reference (Hugging Face's tokenizers) splits by 16.0 and normalises
 * by 9.0. The resource's head says where each property comes from.
 */
final class CodePoints {
  /** Neither letter, number nor white space: punctuation, symbols, marks, controls, unassigned. */
  static final int OTHER = 0;
  static final int LETTER = 1;
  static final int NUMBER = 2;
  /** White space other than U+000A and U+000D. */
  static final int SPACE = 3;
  /** U+000A and U+000D. */
  static final int NEWLINE = 4;

  /** Canonical combining class other than 0. */
  static final int MARK = 8;
  /** NFC_Quick_Check is No or Maybe. */
  static final int COMPOSES = 16;
  /** Takes no part in the reference's normalisation, whatever the JDK's Unicode version makes of it. */
  static final int LATER = 32;

  private static final int CLASS_MASK = 7;
  private static final byte[] PROPERTIES = new byte[Character.MAX_CODE_POINT + 1];
  /** The marks of Unicode 9.0 all lie in the first two planes. */
  private static final byte[] COMBINING_CLASSES = new byte[0x20000];

  static {
    read();
  }

  private CodePoints() {}

  /** The class of a code point: OTHER, LETTER, NUMBER, SPACE or NEWLINE. */
  static int classOf(int codePoint) {
    return PROPERTIES[codePoint] & CLASS_MASK;
  }

  /** The class of a code point with its MARK, COMPOSES and LATER flags. */
  static int propertiesOf(int codePoint) {
    return PROPERTIES[codePoint];
  }

  /** The canonical combining class, 0 to 254. */
  static int combiningClassOf(int codePoint) {
    return codePoint < COMBINING_CLASSES.length ? Byte.toUnsignedInt(COMBINING_CLASSES[codePoint]) : 0;
  }

  private static void read() {
    try (BufferedReader reader = new BufferedReader(new InputStreamReader(
        Objects.requireNonNull(CodePoints.class.getResourceAsStream("code-points.txt"), "code-points.txt"),
        StandardCharsets.US_ASCII))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        if (!line.startsWith("#")) {
          read(line);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** One line: {@code XXXX word...} or {@code XXXX..YYYY word...}, a word being a property or {@code mark=N}. */
  private static void read(String line) {
    String[] fields = line.split(" ");
    int dots = fields[0].indexOf("..");
    int first = Integer.parseInt(dots < 0 ? fields[0] : fields[0].substring(0, dots), 16);
    int last = dots < 0 ? first : Integer.parseInt(fields[0].substring(dots + 2), 16);
    int value = 0;
    for (int i = 1; i < fields.length; i++) {
      String[] word = fields[i].split("=");
      value |= switch (word[0]) {
        case "letter" -> LETTER;
        case "number" -> NUMBER;
        case "space" -> SPACE;
        case "newline" -> NEWLINE;
        case "mark" -> {
          Arrays.fill(COMBINING_CLASSES, first, last + 1, (byte) Integer.parseInt(word[1]));
          yield MARK;
        }
        case "composes" -> COMPOSES;
        case "later" -> LATER;
        default -> throw new IllegalStateException("code-points.txt: unknown property in '" + line + "'");
      };
    }
    Arrays.fill(PROPERTIES, first, last + 1, (byte) value);
  }
}
