package io.embed4j.image;

import static io.embed4j.image.Vp8Tables.DC_PRED;
import static io.embed4j.image.Vp8Tables.HD_PRED;
import static io.embed4j.image.Vp8Tables.HU_PRED;
import static io.embed4j.image.Vp8Tables.H_PRED;
import static io.embed4j.image.Vp8Tables.LD_PRED;
import static io.embed4j.image.Vp8Tables.RD_PRED;
import static io.embed4j.image.Vp8Tables.TM_PRED;
import static io.embed4j.image.Vp8Tables.VL_PRED;
import static io.embed4j.image.Vp8Tables.VR_PRED;
import static io.embed4j.image.Vp8Tables.V_PRED;

import java.util.Arrays;

/** Intra prediction (RFC 6386, section 12) and the inverse transforms (section 14), in place on a plane. */
final class Vp8Prediction {
  private final int[] edge = new int[13]; // of a 4 x 4 block: left from the bottom up, corner, above to the right
  private final int[] columns = new int[16];

  /** Predicts a square of 16 (luma) or 8 (chroma) samples; the frame's border takes part but for the mean. */
  void predictSquare(Vp8Planes.Plane plane, int at, int size, int mode, boolean hasLeft, boolean hasAbove) {
    byte[] samples = plane.samples;
    int stride = plane.stride;
    if (mode == DC_PRED) {
      fill(plane, at, size, mean(plane, at, size, hasLeft, hasAbove));
      return;
    }
    int corner = samples[at - stride - 1] & 0xFF;
    for (int y = 0; y < size; y++) {
      int row = at + y * stride;
      int left = samples[row - 1] & 0xFF;
      for (int x = 0; x < size; x++) {
        int above = samples[at - stride + x] & 0xFF;
        samples[row + x] =
            (byte)
                switch (mode) {
                  case V_PRED -> above;
                  case H_PRED -> left;
                  default -> Math.clamp(left + above - corner, 0, 255);
                };
      }
    }
  }

  private static int mean(Vp8Planes.Plane plane, int at, int size, boolean hasLeft, boolean hasAbove) {
    if (!hasLeft && !hasAbove) {
      return 128;
    }
    int sum = 0;
    for (int i = 0; i < size; i++) {
      sum += hasLeft ? plane.samples[at + i * plane.stride - 1] & 0xFF : 0;
      sum += hasAbove ? plane.samples[at - plane.stride + i] & 0xFF : 0;
    }
    int count = hasLeft && hasAbove ? 2 * size : size;
    return (sum + count / 2) / count;
  }

  private static void fill(Vp8Planes.Plane plane, int at, int size, int value) {
    for (int y = 0; y < size; y++) {
      Arrays.fill(
          plane.samples, at + y * plane.stride, at + y * plane.stride + size, (byte) value);
    }
  }

  /** Predicts a block of 4 x 4 samples; aboveRight holds the four samples to the right of those above. */
  void predictBlock(Vp8Planes.Plane plane, int at, int mode, int[] aboveRight) {
    byte[] samples = plane.samples;
    int stride = plane.stride;
    for (int i = 0; i < 4; i++) {
      edge[i] = samples[at + (3 - i) * stride - 1] & 0xFF;
      edge[5 + i] = samples[at - stride + i] & 0xFF;
      edge[9 + i] = aboveRight[i];
    }
    edge[4] = samples[at - stride - 1] & 0xFF;
    if (mode == DC_PRED) {
      int sum = 4;
      for (int i = 0; i < 4; i++) {
        sum += edge[i] + edge[5 + i];
      }
      fill(plane, at, 4, sum >> 3);
      return;
    }
    for (int y = 0; y < 4; y++) {
      for (int x = 0; x < 4; x++) {
        samples[at + y * stride + x] = (byte) blockSample(mode, x, y);
      }
    }
  }

  private int blockSample(int mode, int x, int y) {
    return switch (mode) {
      case TM_PRED -> Math.clamp(edge[3 - y] + edge[5 + x] - edge[4], 0, 255);
      case V_PRED -> smooth(5 + x);
      case H_PRED -> y < 3 ? smooth(3 - y) : edge[1] + 3 * edge[0] + 2 >> 2;
      case LD_PRED -> x + y < 6 ? smooth(6 + x + y) : edge[11] + 3 * edge[12] + 2 >> 2;
      case RD_PRED -> smooth(4 + x - y);
      case VR_PRED -> verticalRight(x, y);
      case VL_PRED -> verticalLeft(x, y);
      case HD_PRED -> horizontalDown(x, y);
      case HU_PRED -> horizontalUp(x + 2 * y);
      default -> throw ImageException.bad("block mode %d in a lossy WebP image", mode);
    };
  }

  private int verticalRight(int x, int y) {
    int along = 2 * x - y;
    if (along < 0) {
      return along == -1 ? smooth(4) : smooth(5 - y);
    }
    return (along & 1) == 0 ? between(4 + along / 2) : smooth(4 + (along + 1) / 2);
  }

  private int verticalLeft(int x, int y) {
    if (x == 3 && y >= 2) {
      return y == 2 ? smooth(10) : smooth(11);
    }
    int from = x + y / 2;
    return (y & 1) == 0 ? between(5 + from) : smooth(6 + from);
  }

  private int horizontalDown(int x, int y) {
    int along = 2 * y - x;
    if (along < 0) {
      return along == -1 ? smooth(4) : smooth(3 + x);
    }
    return (along & 1) == 0 ? between(3 - along / 2) : smooth(3 - along / 2);
  }

  private int horizontalUp(int along) {
    return switch (along) {
      case 0, 2, 4 -> between(2 - along / 2);
      case 1, 3 -> smooth(2 - along / 2);
      case 5 -> edge[1] + 3 * edge[0] + 2 >> 2;
      default -> edge[0];
    };
  }

  /** The edge at i, smoothed with its neighbours. */
  private int smooth(int i) {
    return edge[i - 1] + 2 * edge[i] + edge[i + 1] + 2 >> 2;
  }

  /** Half way between the edge at i and at i + 1. */
  private int between(int i) {
    return edge[i] + edge[i + 1] + 1 >> 1;
  }

  /** Adds the inverse DCT of the 16 coefficients at offset to a 4 x 4 block. */
  void addTransform(Vp8Planes.Plane plane, int at, int[] coefficients, int offset) {
    for (int x = 0; x < 4; x++) {
      int first = coefficients[offset + x];
      int second = coefficients[offset + 4 + x];
      int third = coefficients[offset + 8 + x];
      int fourth = coefficients[offset + 12 + x];
      int a = first + third;
      int b = first - third;
      int c = timesSine(second) - timesCosine(fourth);
      int d = timesCosine(second) + timesSine(fourth);
      columns[4 * x] = a + d;
      columns[4 * x + 1] = b + c;
      columns[4 * x + 2] = b - c;
      columns[4 * x + 3] = a - d;
    }
    for (int y = 0; y < 4; y++) {
      int a = columns[y] + 4 + columns[8 + y];
      int b = columns[y] + 4 - columns[8 + y];
      int c = timesSine(columns[4 + y]) - timesCosine(columns[12 + y]);
      int d = timesCosine(columns[4 + y]) + timesSine(columns[12 + y]);
      int row = at + y * plane.stride;
      add(plane.samples, row, a + d);
      add(plane.samples, row + 1, b + c);
      add(plane.samples, row + 2, b - c);
      add(plane.samples, row + 3, a - d);
    }
  }

  /** By sqrt(2) * cos(pi / 8), in 16 fractional bits. */
  private static int timesCosine(int value) {
    return (value * 20091 >> 16) + value;
  }

  /** By sqrt(2) * sin(pi / 8). */
  private static int timesSine(int value) {
    return value * 35468 >> 16;
  }

  private static void add(byte[] samples, int at, int eighths) {
    samples[at] = (byte) Math.clamp((samples[at] & 0xFF) + (eighths >> 3), 0, 255);
  }

  /** The inverse Walsh-Hadamard transform: block i's first coefficient becomes the i-th result. */
  void spreadMeans(int[] means, int[] coefficients) {
    for (int x = 0; x < 4; x++) {
      int a = means[x] + means[12 + x];
      int b = means[4 + x] + means[8 + x];
      int c = means[4 + x] - means[8 + x];
      int d = means[x] - means[12 + x];
      columns[x] = a + b;
      columns[4 + x] = d + c;
      columns[8 + x] = a - b;
      columns[12 + x] = d - c;
    }
    for (int y = 0; y < 4; y++) {
      int a = columns[4 * y] + 3 + columns[4 * y + 3];
      int b = columns[4 * y + 1] + columns[4 * y + 2];
      int c = columns[4 * y + 1] - columns[4 * y + 2];
      int d = columns[4 * y] + 3 - columns[4 * y + 3];
      coefficients[16 * (4 * y)] = a + b >> 3;
      coefficients[16 * (4 * y + 1)] = d + c >> 3;
      coefficients[16 * (4 * y + 2)] = a - b >> 3;
      coefficients[16 * (4 * y + 3)] = d - c >> 3;
    }
  }
}
