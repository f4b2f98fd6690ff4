package io.embed4j.image;

import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * PIL's {@code Image.resize(size, BICUBIC)} of an RGB image, byte for byte.
 *
 * <p>Separable convolution with the cubic kernel a = -0.5, stretched by the scale when shrinking, so that every source
 * pixel counts (anti-aliasing). Weights are rounded to 22 fractional bits; each pass sums in 32-bit integers, rounds
 * and clips to 8 bits, horizontally first. The arithmetic, its order included, is that of libImaging/Resample.c; the
 * exception for tall images is in PIL/Image.py.
 *
 * <p>Thread-safe. Memory: the result and one intermediate of target width by source height.
 */
public final class BicubicResize {
  private static final int PRECISION_BITS = 32 - 8 - 2;
  private static final int HALF = 1 << (PRECISION_BITS - 1);
  private static final double SUPPORT = 2;

  /** Weights are kept for this many pairs of sizes: the pages of one document share theirs. */
  private static final int CACHED_TABLES = 32;

  private static final int CACHED_WEIGHTS = 1 << 16;

  private static final Map<Long, Weights> CACHE =
      Collections.synchronizedMap(
          new LinkedHashMap<>(16, 0.75f, true) {
            private static final long serialVersionUID = 1L;

            @Override
            protected boolean removeEldestEntry(Map.Entry<Long, Weights> eldest) {
              return size() > CACHED_TABLES;
            }
          });

  /**
   * One axis: target position i is the sum over k below count[i] of source position first[i] + k times
   * values[i * taps + k].
   */
  private record Weights(int taps, int[] first, int[] count, int[] values) {}

  private BicubicResize() {}

  /**
   * The image at another size; the image itself when the size is the same.
   *
   * @throws IllegalArgumentException when the target is empty or too large for one array
   */
  public static RgbImage resize(RgbImage image, int width, int height) {
    if (width < 1 || height < 1 || 3L * width * height > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("cannot resize to %d x %d pixels".formatted(width, height));
    }
    boolean tall = image.height() > 100L * image.width() && height < image.height();
    return tall
        ? horizontal(vertical(image, height), width)
        : vertical(horizontal(image, width), height);
  }

  private static RgbImage horizontal(RgbImage image, int width) {
    if (width == image.width()) {
      return image;
    }
    Weights weights = weights(image.width(), width);
    byte[] source = image.rgb();
    byte[] target = new byte[Math.multiplyExact(3 * width, image.height())];
    int out = 0;
    for (int y = 0; y < image.height(); y++) {
      int row = 3 * y * image.width();
      for (int x = 0; x < width; x++) {
        int red = HALF;
        int green = HALF;
        int blue = HALF;
        int at = row + 3 * weights.first[x];
        int tap = x * weights.taps;
        for (int end = tap + weights.count[x]; tap < end; tap++, at += 3) {
          int weight = weights.values[tap];
          red += (source[at] & 0xFF) * weight;
          green += (source[at + 1] & 0xFF) * weight;
          blue += (source[at + 2] & 0xFF) * weight;
        }
        target[out++] = clip8(red);
        target[out++] = clip8(green);
        target[out++] = clip8(blue);
      }
    }
    return new RgbImage(width, image.height(), target);
  }

  private static RgbImage vertical(RgbImage image, int height) {
    if (height == image.height()) {
      return image;
    }
    Weights weights = weights(image.height(), height);
    int rowBytes = 3 * image.width();
    byte[] source = image.rgb();
    byte[] target = new byte[Math.multiplyExact(rowBytes, height)];
    int[] sums = new int[rowBytes];
    for (int y = 0; y < height; y++) {
      Arrays.fill(sums, HALF);
      for (int tap = 0; tap < weights.count[y]; tap++) {
        int weight = weights.values[y * weights.taps + tap];
        int row = (weights.first[y] + tap) * rowBytes;
        for (int i = 0; i < rowBytes; i++) {
          sums[i] += (source[row + i] & 0xFF) * weight;
        }
      }
      int out = y * rowBytes;
      for (int i = 0; i < rowBytes; i++) {
        target[out + i] = clip8(sums[i]);
      }
    }
    return new RgbImage(image.width(), height, target);
  }

  private static byte clip8(int sum) {
    return (byte) Math.clamp(sum >> PRECISION_BITS, 0, 255);
  }

  private static Weights weights(int from, int to) {
    long key = (long) from << 32 | to;
    Weights weights = CACHE.get(key);
    if (weights == null) {
      weights = computeWeights(from, to);
      if (weights.values.length <= CACHED_WEIGHTS) {
        CACHE.put(key, weights);
      }
    }
    return weights;
  }

  private static Weights computeWeights(int from, int to) {
    double scale = (double) from / to;
    double stretch = Math.max(scale, 1);
    double support = SUPPORT * stretch;
    double inverse = 1 / stretch;
    int taps = 2 * (int) Math.ceil(support) + 1;
    int[] first = new int[to];
    int[] count = new int[to];
    int[] values = new int[Math.multiplyExact(to, taps)];
    double[] exact = new double[taps];
    for (int i = 0; i < to; i++) {
      double center = (i + 0.5) * scale;
      first[i] = Math.max((int) (center - support + 0.5), 0);
      count[i] = Math.min((int) (center + support + 0.5), from) - first[i];
      double sum = 0;
      for (int k = 0; k < count[i]; k++) {
        exact[k] = kernel((k + first[i] - center + 0.5) * inverse);
        sum += exact[k];
      }
      for (int k = 0; k < count[i]; k++) {
        double weight = (sum == 0 ? exact[k] : exact[k] / sum) * (1 << PRECISION_BITS);
        values[i * taps + k] = (int) (weight < 0 ? weight - 0.5 : weight + 0.5);
      }
    }
    return new Weights(taps, first, count, values);
  }

  /** Keys' cubic convolution kernel with a = -0.5. */
  private static double kernel(double distance) {
    double a = -0.5;
    double x = Math.abs(distance);
    if (x < 1) {
      return ((a + 2) * x - (a + 3)) * x * x + 1;
    }
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
  }
}
