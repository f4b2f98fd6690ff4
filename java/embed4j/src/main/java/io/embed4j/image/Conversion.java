package io.embed4j.image;

import java.awt.image.IndexColorModel;
import java.awt.image.Raster;

/** One pixel's samples to RGB, with the arithmetic of PIL's convert("RGB"). */
@FunctionalInterface
interface Conversion {

  /** Reads the pixel at samples[at] and writes three bytes at rgb[out]. */
  void convert(int[] samples, int at, byte[] rgb, int out);

  /** One grey sample of 8 bits. */
  Conversion GREY = (samples, at, rgb, out) -> grey(samples[at], rgb, out);

  /** One sample of more than 8 bits: PIL's modes I;16, I and F are cut to 0..255, not scaled. */
  Conversion GREY_CLIPPED =
      (samples, at, rgb, out) -> grey(Math.clamp(samples[at], 0, 255), rgb, out);

  /** The high byte of one 16-bit sample: how PIL reads 16-bit grey with alpha. */
  Conversion GREY_HIGH_BYTE = (samples, at, rgb, out) -> grey(samples[at] >> 8, rgb, out);

  /** Three samples of 8 bits; further ones, alpha among them, are dropped. */
  Conversion RGB =
      (samples, at, rgb, out) -> {
        rgb[out] = (byte) samples[at];
        rgb[out + 1] = (byte) samples[at + 1];
        rgb[out + 2] = (byte) samples[at + 2];
      };

  /** The high bytes of three 16-bit samples. */
  Conversion RGB_HIGH_BYTE =
      (samples, at, rgb, out) -> {
        rgb[out] = (byte) (samples[at] >> 8);
        rgb[out + 1] = (byte) (samples[at + 1] >> 8);
        rgb[out + 2] = (byte) (samples[at + 2] >> 8);
      };

  /** Three samples multiplied by the fourth, their alpha: divided by it again (PIL's raw mode RGBa). */
  Conversion RGB_PREMULTIPLIED =
      (samples, at, rgb, out) -> premultiplied(samples, at, 0, rgb, out);

  /** As {@link #RGB_PREMULTIPLIED}, on the high bytes of 16-bit samples. */
  Conversion RGB_PREMULTIPLIED_HIGH_BYTE =
      (samples, at, rgb, out) -> premultiplied(samples, at, 8, rgb, out);

  /** Cyan, magenta, yellow, black; 255 is full ink. */
  Conversion CMYK =
      (samples, at, rgb, out) ->
          cmyk(samples[at], samples[at + 1], samples[at + 2], samples[at + 3], rgb, out);

  /** As {@link #CMYK}, on the high bytes of 16-bit samples. */
  Conversion CMYK_HIGH_BYTE =
      (samples, at, rgb, out) ->
          cmyk(samples[at] >> 8, samples[at + 1] >> 8, samples[at + 2] >> 8, samples[at + 3] >> 8, rgb, out);

  /** As {@link #CMYK} with 0 for full ink: PIL takes every JPEG of four components for Adobe's inverted ones. */
  Conversion CMYK_INVERTED =
      (samples, at, rgb, out) ->
          cmyk(
              255 - samples[at], 255 - samples[at + 1], 255 - samples[at + 2], 255 - samples[at + 3], rgb, out);

  /** Luma, blue and red difference of JFIF, in libjpeg's 16-bit fixed point. */
  Conversion YCBCR =
      (samples, at, rgb, out) -> ycbcr(samples[at], samples[at + 1], samples[at + 2], rgb, out);

  /** Adobe's YCCK: the complement of inverted CMY as YCbCr, and K. */
  Conversion YCCK_INVERTED =
      (samples, at, rgb, out) -> {
        ycbcr(samples[at], samples[at + 1], samples[at + 2], rgb, out);
        cmyk(rgb[out] & 0xFF, rgb[out + 1] & 0xFF, rgb[out + 2] & 0xFF, 255 - samples[at + 3], rgb, out);
      };

  /** The entry of a palette of 256 colours, alpha dropped. */
  static Conversion palette(byte[] reds, byte[] greens, byte[] blues) {
    return (samples, at, rgb, out) -> {
      int index = samples[at];
      rgb[out] = reds[index];
      rgb[out + 1] = greens[index];
      rgb[out + 2] = blues[index];
    };
  }

  /** The palette of a colour model; an index beyond it is black. */
  static Conversion palette(IndexColorModel colors) {
    byte[][] channels = new byte[3][256];
    if (colors.getMapSize() > 256) {
      throw ImageException.unsupported(
          "a palette of %d colours is not supported, expected at most 256", colors.getMapSize());
    }
    byte[] values = new byte[colors.getMapSize()];
    colors.getReds(values);
    System.arraycopy(values, 0, channels[0], 0, values.length);
    colors.getGreens(values);
    System.arraycopy(values, 0, channels[1], 0, values.length);
    colors.getBlues(values);
    System.arraycopy(values, 0, channels[2], 0, values.length);
    return palette(channels[0], channels[1], channels[2]);
  }

  /** Every pixel of a raster. */
  default RgbImage apply(Raster raster) {
    Samples samples = new Samples(raster);
    int width = samples.width();
    int bands = samples.bands();
    byte[] rgb = new byte[Math.multiplyExact(Math.multiplyExact(width, samples.height()), 3)];
    int[] row = new int[width * bands];
    int out = 0;
    for (int y = 0; y < samples.height(); y++) {
      samples.row(y, row);
      for (int at = 0; at < row.length; at += bands, out += 3) {
        convert(row, at, rgb, out);
      }
    }
    return new RgbImage(width, samples.height(), rgb);
  }

  private static void grey(int value, byte[] rgb, int out) {
    rgb[out] = (byte) value;
    rgb[out + 1] = (byte) value;
    rgb[out + 2] = (byte) value;
  }

  private static void premultiplied(int[] samples, int at, int shift, byte[] rgb, int out) {
    int alpha = samples[at + 3] >> shift;
    for (int channel = 0; channel < 3; channel++) {
      int value = samples[at + channel] >> shift;
      rgb[out + channel] =
          (byte) (alpha == 0 ? 0 : alpha == 255 ? value : Math.min(255, 255 * value / alpha));
    }
  }

  private static void cmyk(int cyan, int magenta, int yellow, int black, byte[] rgb, int out) {
    int white = 255 - black;
    rgb[out] = (byte) (white - scaled(cyan, white));
    rgb[out + 1] = (byte) (white - scaled(magenta, white));
    rgb[out + 2] = (byte) (white - scaled(yellow, white));
  }

  /** a * b / 255, rounded as PIL's MULDIV255 rounds; never more than b. */
  private static int scaled(int a, int b) {
    int product = a * b + 128;
    return ((product >> 8) + product) >> 8;
  }

  private static void ycbcr(int y, int cb, int cr, byte[] rgb, int out) {
    int half = 1 << 15;
    int u = cb - 128;
    int v = cr - 128;
    rgb[out] = (byte) Math.clamp(y + ((91881 * v + half) >> 16), 0, 255);
    rgb[out + 1] = (byte) Math.clamp(y + ((-22554 * u - 46802 * v + half) >> 16), 0, 255);
    rgb[out + 2] = (byte) Math.clamp(y + ((116130 * u + half) >> 16), 0, 255);
  }
}
