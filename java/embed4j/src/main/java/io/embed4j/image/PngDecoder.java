package io.embed4j.image;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.zip.CRC32;

/**
 * PNG. Chunks are walked and checked here; only those that make the pixels reach the JDK's reader, so that no profile,
 * gamma, transparency or text can change the pixels or fill the memory. Of an APNG this is the default image.
 */
final class PngDecoder {
  private static final int SIGNATURE_BYTES = 8;
  private static final int IHDR = 0x49484452;
  private static final int PLTE = 0x504C5445;
  private static final int IDAT = 0x49444154;
  private static final int IEND = 0x49454E44;
  private static final int EXIF = 0x65584966;

  private final ByteArrayOutputStream pixels = new ByteArrayOutputStream();
  private int bitDepth;
  private int colorType;
  private byte[] exif;

  private PngDecoder() {}

  static DecodedImage decode(byte[] data, ImageLimits limits) throws IOException {
    PngDecoder decoder = new PngDecoder();
    decoder.walk(data, limits);
    BufferedImage image = ImageIoReaders.read("png", decoder.pixels.toByteArray());
    return new DecodedImage(
        decoder.conversion(image).apply(image.getRaster()), Exif.orientation(decoder.exif));
  }

  private void walk(byte[] data, ImageLimits limits) {
    ByteReader in = new ByteReader(data);
    pixels.writeBytes(in.bytes(SIGNATURE_BYTES));
    for (int type = 0; type != IEND && (in.remaining() > 0 || type != IDAT); ) {
      int start = in.position();
      long length = in.u32();
      type = in.s32();
      if (start == SIGNATURE_BYTES && (type != IHDR || length != 13)) {
        throw ImageException.bad("the PNG file does not begin with a header (IHDR) of 13 bytes");
      }
      in.skip(length);
      checkCrc(data, start, in);
      switch (type) {
        case IHDR -> header(new ByteReader(data, start + 8, in.position()), limits);
        case EXIF -> exif = new ByteReader(data, start + 8, in.position()).bytes(length);
        default -> {}
      }
      if (type == IHDR || type == PLTE || type == IDAT || type == IEND) {
        pixels.write(data, start, in.position() - start);
      }
    }
  }

  private static void checkCrc(byte[] data, int start, ByteReader in) {
    CRC32 crc = new CRC32();
    crc.update(data, start + 4, in.position() - start - 4);
    long stored = in.u32();
    if (crc.getValue() != stored) {
      throw ImageException.bad(
          "the PNG chunk at byte %d has checksum %08x, expected %08x", start, stored, crc.getValue());
    }
  }

  private void header(ByteReader in, ImageLimits limits) {
    limits.checkSize(in.u32(), in.u32());
    bitDepth = in.u8();
    colorType = in.u8();
  }

  private Conversion conversion(BufferedImage image) {
    return switch (colorType) {
      case 0 ->
          bitDepth == 16
              ? Conversion.GREY_CLIPPED
              : bitDepth == 8
                  ? Conversion.GREY
                  : Conversion.palette((IndexColorModel) image.getColorModel());
      case 3 -> Conversion.palette((IndexColorModel) image.getColorModel());
      case 4 -> bitDepth == 16 ? Conversion.GREY_HIGH_BYTE : Conversion.GREY;
      default -> bitDepth == 16 ? Conversion.RGB_HIGH_BYTE : Conversion.RGB;
    };
  }
}
