package io.embed4j.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * GPT-2's spelling of bytes as printable characters, in which byte-level vocabularies are written: a printable Latin-1
 * character stands for its own byte, and U+0100 onwards for the other bytes in ascending order.
 */
final class ByteSpelling {
  private static final Map<Character, Byte> BYTES = bytes();

  private ByteSpelling() {}

  /** The character that stands for a byte, 0 to 255. */
  static char of(int value) {
    if (isPrintable(value)) {
      return (char) value;
    }
    char spelling = 0x100;
    for (int other = 0; other < value; other++) {
      if (!isPrintable(other)) {
        spelling++;
      }
    }
    return spelling;
  }

  /** What a piece spells, as UTF-8; a piece that is no spelling is returned as it is. */
  static String text(String piece) {
    byte[] bytes = new byte[piece.length()];
    for (int i = 0; i < bytes.length; i++) {
      Byte value = BYTES.get(piece.charAt(i));
      if (value == null) {
        return piece;
      }
      bytes[i] = value;
    }
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private static Map<Character, Byte> bytes() {
    Map<Character, Byte> bytes = new HashMap<>();
    for (int value = 0; value < 256; value++) {
      bytes.put(of(value), (byte) value);
    }
    return bytes;
  }

  private static boolean isPrintable(int value) {
    return value >= 0x21 && value <= 0x7E || value >= 0xA1 && value <= 0xAC || value >= 0xAE && value <= 0xFF;
  }
}
