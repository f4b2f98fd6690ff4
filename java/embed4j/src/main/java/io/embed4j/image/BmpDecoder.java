package io.embed4j.image;

import java.awt.image.BufferedImage;
import java.awt.image.DirectColorModel;
import java.awt.image.IndexColorModel;
import java.io.IOException;

/** BMP, with the kinds PIL knows: 1, 4, 8 bits with a palette (plain or run-length), 16, 24 and 32 bits. */
final class BmpDecoder {
  private static final int CORE_HEADER = 12;
  private static final int RAW = 0;
  private static final int BITFIELDS = 3;

  private BmpDecoder() {}

  static DecodedImage decode(byte[] data, ImageLimits limits) throws IOException {
    ByteReader in = new ByteReader(data).littleEndian(true).skip(14);
    long headerBytes = in.u32();
    long width;
    long height;
    long compression = RAW;
    int bits;
    if (headerBytes == CORE_HEADER) {
      width = in.u16();
      height = in.u16();
      bits = in.skip(2).u16();
    } else {
      width = in.s32();
      height = Math.abs((long) in.s32()); // negative: rows from top to bottom
      bits = in.skip(2).u16();
      compression = in.u32();
    }
    limits.checkSize(width, height);
    if (compression > BITFIELDS) {
      throw ImageException.unsupported("BMP compression %d is not supported, expected 0 to 3", compression);
    }
    BufferedImage image = ImageIoReaders.read("bmp", data);
    return new DecodedImage(conversion(image, bits).apply(image.getRaster()), 1);
  }

  private static Conversion conversion(BufferedImage image, int bits) {
    if (image.getColorModel() instanceof IndexColorModel colors) {
      return Conversion.palette(colors);
    }
    if (image.getRaster().getNumBands() == 1) {
      return Conversion.GREY;
    }
    if (image.getColorModel() instanceof DirectColorModel colors) {
      int[] depths = colors.getComponentSize();
      if (bits == 16 && depths[0] == 5 && depths[2] == 5 && (depths[1] == 5 || depths[1] == 6)) {
        int greens = (1 << depths[1]) - 1;
        return (samples, at, rgb, out) -> {
          rgb[out] = (byte) (samples[at] * 255 / 31);
          rgb[out + 1] = (byte) (samples[at + 1] * 255 / greens);
          rgb[out + 2] = (byte) (samples[at + 2] * 255 / 31);
        };
      }
      if (depths[0] != 8 || depths[1] != 8 || depths[2] != 8) {
        throw ImageException.unsupported(
            "BMP with %d, %d and %d bits for red, green and blue is not supported, expected 8, 8, 8 or 5, 5 or 6, 5",
            depths[0], depths[1], depths[2]);
      }
    }
    return Conversion.RGB;
  }
}
