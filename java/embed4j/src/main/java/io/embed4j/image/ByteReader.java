package io.embed4j.image;

import java.util.Arrays;

/** A position in an encoded file; every read is checked, and one beyond the end is a truncated image. */
final class ByteReader {
  private final byte[] data;
  private final int end;
  private int position;
  private boolean littleEndian;

  ByteReader(byte[] data) {
    this(data, 0, data.length);
  }

  /** Of data[start, end). Positions count from the start of the array. */
  ByteReader(byte[] data, int start, int end) {
    this.data = data;
    this.position = start;
    this.end = end;
  }

  ByteReader littleEndian(boolean littleEndian) {
    this.littleEndian = littleEndian;
    return this;
  }

  int position() {
    return position;
  }

  int remaining() {
    return end - position;
  }

  ByteReader seek(long target) {
    if (target < 0 || target > end) {
      throw ImageException.bad(
          "the image is truncated or corrupt: it refers to byte %d of %d", target, end);
    }
    position = (int) target;
    return this;
  }

  ByteReader skip(long count) {
    require(count);
    position += (int) count;
    return this;
  }

  /** Bytes from here to the new position, which is count further on. */
  byte[] bytes(long count) {
    require(count);
    byte[] bytes = Arrays.copyOfRange(data, position, position + (int) count);
    position += (int) count;
    return bytes;
  }

  int u8() {
    require(1);
    return data[position++] & 0xFF;
  }

  int u16() {
    int first = u8();
    int second = u8();
    return littleEndian ? second << 8 | first : first << 8 | second;
  }

  long u32() {
    long first = u16();
    long second = u16();
    return littleEndian ? second << 16 | first : first << 16 | second;
  }

  /** As a signed number: what exceeds it is beyond any array, too, and negative. */
  long u64() {
    long first = u32();
    long second = u32();
    return littleEndian ? second << 32 | first : first << 32 | second;
  }

  int s32() {
    return (int) u32();
  }

  private void require(long count) {
    if (count < 0 || count > end - position) {
      throw ImageException.bad(
          "the image is truncated or corrupt: %d bytes are needed at byte %d, %d are there",
          count, position, end - position);
    }
  }
}
