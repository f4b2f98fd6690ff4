package io.embed4j.image;

/**
 * VP8's loop filter (RFC 6386, section 15): smooths the edges of macroblocks and, where coefficients were coded, of the
 * blocks in them, from left to right and top to bottom.
 */
final class Vp8LoopFilter {
  /** How strongly one macroblock is filtered. */
  record Strength(int edgeLimit, int interiorLimit, int highVariance, boolean inner) {}

  private final Vp8Planes planes;
  private final boolean simple;

  Vp8LoopFilter(Vp8Planes planes, boolean simple) {
    this.planes = planes;
    this.simple = simple;
  }

  /** The strength of a level from 0 to 63; null where nothing is filtered. */
  static Strength strength(int level, int sharpness, boolean inner) {
    if (level == 0) {
      return null;
    }
    int interior = level;
    if (sharpness > 0) {
      interior = Math.min(interior >> (sharpness > 4 ? 2 : 1), 9 - sharpness);
    }
    interior = Math.max(interior, 1);
    return new Strength(2 * level + interior, interior, level >= 40 ? 2 : level >= 15 ? 1 : 0, inner);
  }

  /** Filters the whole frame; strengths [rows][columns]. */
  void filter(Strength[] strengths) {
    for (int row = 0; row < planes.rows; row++) {
      for (int column = 0; column < planes.columns; column++) {
        Strength strength = strengths[row * planes.columns + column];
        if (strength != null) {
          macroblock(planes.y, 16, column, row, strength);
          if (!simple) {
            macroblock(planes.u, 8, column, row, strength);
            macroblock(planes.v, 8, column, row, strength);
          }
        }
      }
    }
  }

  private void macroblock(Vp8Planes.Plane plane, int size, int column, int row, Strength strength) {
    int at = plane.origin + row * size * plane.stride + column * size;
    edges(plane.samples, at, 1, plane.stride, size, column > 0, strength);
    edges(plane.samples, at, plane.stride, 1, size, row > 0, strength);
  }

  /** The edges across one direction; across and along are the steps between samples. */
  private void edges(
      byte[] samples, int at, int across, int along, int size, boolean outer, Strength strength) {
    if (outer) {
      edge(samples, at, across, along, size, strength, strength.edgeLimit + 4, true);
    }
    if (strength.inner) {
      for (int block = 4; block < size; block += 4) {
        edge(samples, at + block * across, across, along, size, strength, strength.edgeLimit, false);
      }
    }
  }

  private void edge(
      byte[] samples, int at, int across, int along, int size, Strength strength, int edgeLimit, boolean outer) {
    int limit = 2 * edgeLimit + 1;
    for (int i = 0; i < size; i++, at += along) {
      int p1 = samples[at - 2 * across] & 0xFF;
      int p0 = samples[at - across] & 0xFF;
      int q0 = samples[at] & 0xFF;
      int q1 = samples[at + across] & 0xFF;
      if (4 * Math.abs(p0 - q0) + Math.abs(p1 - q1) > limit) {
        continue;
      }
      if (simple) {
        two(samples, at, across, p1, p0, q0, q1);
        continue;
      }
      int p2 = samples[at - 3 * across] & 0xFF;
      int q2 = samples[at + 2 * across] & 0xFF;
      int p3 = samples[at - 4 * across] & 0xFF;
      int q3 = samples[at + 3 * across] & 0xFF;
      int interior = strength.interiorLimit;
      if (Math.abs(p3 - p2) > interior
          || Math.abs(p2 - p1) > interior
          || Math.abs(p1 - p0) > interior
          || Math.abs(q3 - q2) > interior
          || Math.abs(q2 - q1) > interior
          || Math.abs(q1 - q0) > interior) {
        continue;
      }
      if (Math.abs(p1 - p0) > strength.highVariance || Math.abs(q1 - q0) > strength.highVariance) {
        two(samples, at, across, p1, p0, q0, q1);
      } else if (outer) {
        int a = clamp(3 * (q0 - p0) + clamp(p1 - q1, 127), 127);
        int near = 27 * a + 63 >> 7;
        int middle = 18 * a + 63 >> 7;
        int far = 9 * a + 63 >> 7;
        samples[at - 3 * across] = sample(p2 + far);
        samples[at - 2 * across] = sample(p1 + middle);
        samples[at - across] = sample(p0 + near);
        samples[at] = sample(q0 - near);
        samples[at + across] = sample(q1 - middle);
        samples[at + 2 * across] = sample(q2 - far);
      } else {
        int a = 3 * (q0 - p0);
        int near = clamp(a + 4 >> 3, 15);
        int far = near + 1 >> 1;
        samples[at - 2 * across] = sample(p1 + far);
        samples[at - across] = sample(p0 + clamp(a + 3 >> 3, 15));
        samples[at] = sample(q0 - near);
        samples[at + across] = sample(q1 - far);
      }
    }
  }

  /** Moves the two samples at the edge towards each other. */
  private static void two(byte[] samples, int at, int across, int p1, int p0, int q0, int q1) {
    int a = 3 * (q0 - p0) + clamp(p1 - q1, 127);
    samples[at - across] = sample(p0 + clamp(a + 3 >> 3, 15));
    samples[at] = sample(q0 - clamp(a + 4 >> 3, 15));
  }

  private static int clamp(int value, int highest) {
    return Math.clamp(value, -highest - 1, highest);
  }

  private static byte sample(int value) {
    return (byte) Math.clamp(value, 0, 255);
  }
}
