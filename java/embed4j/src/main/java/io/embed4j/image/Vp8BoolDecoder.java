package io.embed4j.image;

/** VP8's arithmetic decoder (RFC 6386, section 7) over one partition. */
final class Vp8BoolDecoder {
  /** Zero bits that a reader may take beyond the end: whole bytes are taken, and the last may not be needed. */
  private static final int SPARE_BYTES = 2;

  private final byte[] data;
  private final int end;
  private int position;
  private int range = 254; // less one
  private long value; // the bits taken and not yet decided on, the next decision at bit `bits`
  private int bits = -8;

  /** Of data[start, end). */
  Vp8BoolDecoder(byte[] data, int start, int end) {
    this.data = data;
    this.position = start;
    this.end = end;
  }

  /** One decision; the probability, 0 to 255, is that of 0 in parts of 256. */
  int bit(int probability) {
    if (bits < 0) {
      load();
    }
    int split = range * probability >> 8;
    int high = (int) (value >> bits);
    int result;
    int next;
    if (high > split) {
      value -= (long) (split + 1) << bits;
      next = range - split;
      result = 1;
    } else {
      next = split + 1;
      result = 0;
    }
    int shift = Integer.numberOfLeadingZeros(next) - 24;
    range = (next << shift) - 1;
    bits -= shift;
    return result;
  }

  private void load() {
    if (end - position >= 4) {
      int next =
          (data[position] & 0xFF) << 24
              | (data[position + 1] & 0xFF) << 16
              | (data[position + 2] & 0xFF) << 8
              | data[position + 3] & 0xFF;
      value = value << 32 | next & 0xFFFFFFFFL;
      bits += 32;
      position += 4;
      return;
    }
    if (position >= end + SPARE_BYTES) {
      throw ImageException.bad("the lossy WebP image is truncated: a partition ends at byte %d", end);
    }
    value = value << 8 | (position < end ? data[position] & 0xFF : 0);
    bits += 8;
    position++;
  }

  boolean flag() {
    return bit(128) == 1;
  }

  /** An unsigned number of so many bits, the highest first. */
  int number(int count) {
    int number = 0;
    for (int i = 0; i < count; i++) {
      number = number << 1 | bit(128);
    }
    return number;
  }

  /** A flag, and when it is set a number of so many bits and its sign; 0 otherwise. */
  int optionalSigned(int count) {
    if (!flag()) {
      return 0;
    }
    int number = number(count);
    return flag() ? -number : number;
  }
}
