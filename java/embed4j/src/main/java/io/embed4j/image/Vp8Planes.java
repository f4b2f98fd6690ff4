package io.embed4j.image;

import java.util.Arrays;

/**
 * Luma and chroma of a VP8 frame, in whole macroblocks, with the border that prediction expects: a row of 127 above, a
 * column of 129 to the left.
 */
final class Vp8Planes {

  /** One plane; the sample at (x, y) is samples[origin + y * stride + x]. */
  static final class Plane {
    final byte[] samples;
    final int stride;
    final int origin;

    Plane(int width, int height) {
      this.stride = width + 1;
      this.origin = stride + 1;
      this.samples = new byte[Math.multiplyExact(stride, height + 1)];
      Arrays.fill(samples, 0, stride, (byte) 127);
      for (int y = 0; y < height; y++) {
        samples[origin + y * stride - 1] = (byte) 129;
      }
    }
  }

  final int columns; // of macroblocks
  final int rows;
  final Plane y;
  final Plane u;
  final Plane v;

  Vp8Planes(int width, int height) {
    this.columns = width + 15 >> 4;
    this.rows = height + 15 >> 4;
    this.y = new Plane(16 * columns, 16 * rows);
    this.u = new Plane(8 * columns, 8 * rows);
    this.v = new Plane(8 * columns, 8 * rows);
  }

  /**
   * To RGB as libwebp does it: chroma interpolated between its four nearest samples with weights 9, 3, 3, 1, then
   * ITU-R BT.601 with video range in fixed point.
   */
  RgbImage toRgb(int width, int height) {
    byte[] rgb = new byte[3 * width * height];
    int[] blue = new int[width];
    int[] red = new int[width];
    int chromaRows = height + 1 >> 1;
    int out = 0;
    for (int row = 0; row < height; row++) {
      int near = row >> 1;
      int far = Math.clamp((row & 1) == 1 ? near + 1 : near - 1, 0, chromaRows - 1);
      chromaRow(u, near, far, blue);
      chromaRow(v, near, far, red);
      int luma = y.origin + row * y.stride;
      for (int x = 0; x < width; x++, out += 3) {
        int light = (y.samples[luma + x] & 0xFF) * 19077 >> 8;
        rgb[out] = clip(light + (red[x] * 26149 >> 8) - 14234);
        rgb[out + 1] = clip(light - (blue[x] * 6419 >> 8) - (red[x] * 13320 >> 8) + 8708);
        rgb[out + 2] = clip(light + (blue[x] * 33050 >> 8) - 17685);
      }
    }
    return new RgbImage(width, height, rgb);
  }

  private static byte clip(int value) {
    return (byte) Math.clamp(value >> 6, 0, 255);
  }

  private static void chromaRow(Plane plane, int near, int far, int[] row) {
    byte[] samples = plane.samples;
    int at = plane.origin + near * plane.stride;
    int away = plane.origin + far * plane.stride;
    int width = row.length;
    int nearLeft = samples[at] & 0xFF;
    int farLeft = samples[away] & 0xFF;
    row[0] = 3 * nearLeft + farLeft + 2 >> 2;
    for (int x = 1; x <= width - 1 >> 1; x++) {
      int nearRight = samples[at + x] & 0xFF;
      int farRight = samples[away + x] & 0xFF;
      int sum = nearLeft + nearRight + farLeft + farRight + 8;
      row[2 * x - 1] = nearLeft + (sum + 2 * (nearRight + farLeft) >> 3) >> 1;
      row[2 * x] = nearRight + (sum + 2 * (nearLeft + farRight) >> 3) >> 1;
      nearLeft = nearRight;
      farLeft = farRight;
    }
    if ((width & 1) == 0) {
      row[width - 1] = 3 * nearLeft + farLeft + 2 >> 2;
    }
  }
}
