package io.embed4j.cli.output;

import java.io.ByteArrayOutputStream;

/** Parquet's PLAIN encoding: numbers are little-endian. */
final class Plain {
  private Plain() {}

  static void writeInt(ByteArrayOutputStream out, int value) {
    for (int shift = 0; shift < 32; shift += 8) out.write(value >>> shift);
  }

  static void writeLong(ByteArrayOutputStream out, long value) {
    writeInt(out, (int) value);
    writeInt(out, (int) (value >>> 32));
  }
}
