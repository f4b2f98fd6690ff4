package org.xerial.snappy;

import java.io.IOException;
import java.nio.BufferOverflowException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;

/**
 * Snappy's raw format (github.com/google/snappy, format_description.txt), decompressed. The Parquet reader looks for the class
 * of this name, of snappy-java; that one writes through JNI as far as the data says, not as far as the buffer goes, so a
 * damaged file could end the process. Here every step is checked.
 */
public final class Snappy {
  private Snappy() {}

  /**
   * Decompresses all of a buffer.
   *
   * @param uncompressed written from its position, which stays
   * @return bytes written
   * @throws IOException when the data is damaged, or more than fits
   */
  public static int uncompress(ByteBuffer compressed, ByteBuffer uncompressed) throws IOException {
    ByteBuffer in = compressed.slice();
    ByteBuffer out = uncompressed.slice();
    try {
      long length = length(in);
      if (length > out.remaining()) throw new IOException(length + " bytes of Snappy data, room for " + out.remaining());
      out.limit((int) length);
      while (in.hasRemaining()) {
        int tag = in.get() & 0xFF;
        switch (tag & 3) {
          case 0 -> literal(in, out, literalLength(in, tag >>> 2));
          case 1 -> copy(out, (tag >>> 2 & 7) + 4, (tag & 0xE0) << 3 | bytes(in, 1));
          case 2 -> copy(out, (tag >>> 2) + 1, bytes(in, 2));
          default -> copy(out, (tag >>> 2) + 1, bytes(in, 4));
        }
      }
      if (out.hasRemaining()) throw new IOException("Snappy data ends " + out.remaining() + " bytes too early");
      return (int) length;
    } catch (BufferUnderflowException | BufferOverflowException e) {
      throw new IOException("the Snappy data is damaged", e);
    }
  }

  /** A varint of up to 32 bits. */
  private static long length(ByteBuffer in) throws IOException {
    long length = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      int next = in.get();
      length |= (long) (next & 0x7F) << shift;
      if (next >= 0) return length;
    }
    throw new IOException("the Snappy data has no length");
  }

  private static long bytes(ByteBuffer in, int count) {
    long value = 0;
    for (int i = 0; i < count; i++) value |= (in.get() & 0xFFL) << 8 * i;
    return value;
  }

  private static long literalLength(ByteBuffer in, int code) {
    return 1 + (code < 60 ? code : bytes(in, code - 59));
  }

  private static void literal(ByteBuffer in, ByteBuffer out, long length) throws IOException {
    if (length > in.remaining() || length > out.remaining()) throw new IOException("a literal of " + length + " bytes");
    out.put(out.position(), in, in.position(), (int) length);
    in.position(in.position() + (int) length);
    out.position(out.position() + (int) length);
  }

  /** Byte by byte: what is copied may overlap with where it goes. */
  private static void copy(ByteBuffer out, int length, long offset) throws IOException {
    if (offset < 1 || offset > out.position()) throw new IOException("a copy from " + offset + " bytes before");
    int from = out.position() - (int) offset;
    for (int i = 0; i < length; i++) out.put(out.get(from + i));
  }
}
