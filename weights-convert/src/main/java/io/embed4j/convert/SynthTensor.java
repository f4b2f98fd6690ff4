package io.embed4j.convert;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/**
 * A tensor whose every value is a closed formula of its name and the value's index, so that any language can compute
 * the same model bit for bit:
 *
 * <pre>
 * seed  = FNV-1a-64(utf8(salt + name))
 * z     = splitmix64 output number i + 1 from seed             (i = row-major index)
 * u     = (z >>> 40) / 2^24                                    in [0, 1)
 * value = mean + (2 u - 1) * sqrt(3) * deviation               (float64; uniform with that mean and deviation)
 * </pre>
 *
 * kept as float32 and then rounded to bfloat16, to nearest, ties to even.
 *
 * @param name in the flat style, whatever style the checkpoint is written in
 */
record SynthTensor(String name, Shape shape, double mean, double deviation, long seed) implements CheckpointTensor {
  /** In place of a file's name in messages. */
  static final String WHERE = "synthetic checkpoint";

  private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;
  private static final double SQRT_3 = Math.sqrt(3);

  SynthTensor(String name, Shape shape, double mean, double deviation, String salt) {
    this(name, shape, mean, deviation, fnv1a64((salt + name).getBytes(StandardCharsets.UTF_8)));
  }

  @Override
  public String where() {
    return WHERE;
  }

  @Override
  public void read(long first, int values, MemorySegment out) {
    for (int i = 0; i < values; i++) out.setAtIndex(ValueLayout.JAVA_INT, i, bf16(first + i) << 16);
  }

  /** The upper 16 bits of the value as float32. */
  int bf16(long index) {
    long z = seed + (index + 1) * GOLDEN_GAMMA;
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    z ^= z >>> 31;
    double u = (z >>> 40) * 0x1p-24;
    int bits = Float.floatToRawIntBits((float) (mean + (2 * u - 1) * SQRT_3 * deviation));
    return bits + 0x7FFF + (bits >>> 16 & 1) >>> 16;
  }

  private static long fnv1a64(byte[] bytes) {
    long hash = 0xCBF29CE484222325L;
    for (byte b : bytes) hash = (hash ^ b & 0xFF) * 0x100000001B3L;
    return hash;
  }
}
