package io.embed4j.tokenizer;

/**
 * GPT-2's spelling of bytes as printable characters, in which byte-level vocabularies are written: a printable Latin-1
 * character stands for its own byte, and U+0100 onwards for the other bytes in ascending order.
 */
final class ByteSpelling {
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

  private static boolean isPrintable(int value) {
    return value >= 0x21 && value <= 0x7E || value >= 0xA1 && value <= 0xAC || value >= 0xAE && value <= 0xFF;
  }
}
