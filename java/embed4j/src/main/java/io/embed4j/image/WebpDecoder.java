package io.embed4j.image;

import com.twelvemonkeys.imageio.plugins.webp.WebPImageReaderSpi;
import java.awt.image.Raster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;

/**
 * WebP, lossless (by TwelveMonkeys' reader) and lossy; of an animation the first frame on its canvas, the rest of
 * which is black. Chunks are walked here; the decoders get the bit stream alone: alpha is dropped and profiles change
 * nothing.
 */
final class WebpDecoder {
  private static final int VP8 = fourCc("VP8 ");
  private static final int VP8L = fourCc("VP8L");
  private static final int VP8X = fourCc("VP8X");
  private static final int ANMF = fourCc("ANMF");
  private static final int EXIF = fourCc("EXIF");
  private static final int ANIMATION_FLAG = 0x02;

  /** Bytes the lossless reader may look ahead. */
  private static final int LOOK_AHEAD = 16;

  private final byte[] data;
  private final ImageLimits limits;
  private byte[] exif;
  private int canvasWidth;
  private int canvasHeight;
  private boolean animated;
  private int left;
  private int top;
  private RgbImage frame;

  private WebpDecoder(byte[] data, ImageLimits limits) {
    this.data = data;
    this.limits = limits;
  }

  static DecodedImage decode(byte[] data, ImageLimits limits) throws IOException {
    WebpDecoder decoder = new WebpDecoder(data, limits);
    decoder.walk();
    return new DecodedImage(decoder.onCanvas(), Exif.orientation(decoder.exif));
  }

  private static int fourCc(String name) {
    return name.charAt(0) | name.charAt(1) << 8 | name.charAt(2) << 16 | name.charAt(3) << 24;
  }

  private void walk() throws IOException {
    ByteReader file = new ByteReader(data).littleEndian(true).skip(4);
    long riffBytes = file.u32();
    if (riffBytes > file.remaining()) {
      throw ImageException.bad(
          "the WebP file is truncated: it has %d bytes, its header says %d", data.length, riffBytes + 8);
    }
    chunks(file.skip(4), (int) riffBytes + 8);
    if (frame == null) {
      throw ImageException.bad("the WebP file has no image");
    }
  }

  private void chunks(ByteReader in, int end) throws IOException {
    while (end - in.position() >= 8) {
      int type = in.s32();
      long length = in.u32();
      int start = in.position();
      in.skip(length);
      ByteReader chunk = new ByteReader(data, start, in.position()).littleEndian(true);
      if (type == VP8X && frame == null) {
        animated = (chunk.u8() & ANIMATION_FLAG) != 0;
        canvasWidth = 1 + u24(chunk.skip(3));
        canvasHeight = 1 + u24(chunk);
        limits.checkSize(canvasWidth, canvasHeight);
      } else if (type == ANMF && animated && frame == null) {
        left = 2 * u24(chunk);
        top = 2 * u24(chunk);
        chunks(chunk.skip(10), in.position());
      } else if ((type == VP8 || type == VP8L) && frame == null) {
        frame = frame(chunk, type == VP8L, chunk.remaining());
      } else if (type == EXIF) {
        exif = chunk.bytes(length);
      }
      if ((length & 1) == 1 && in.remaining() > 0) {
        in.skip(1);
      }
    }
  }

  private static int u24(ByteReader in) {
    return in.u16() | in.u8() << 16;
  }

  private RgbImage frame(ByteReader chunk, boolean lossless, int length) throws IOException {
    int start = chunk.position();
    int width;
    int height;
    if (lossless) {
      int signature = chunk.u8();
      if (signature != 0x2F) {
        throw ImageException.bad("the lossless WebP image begins with byte %d, expected 47", signature);
      }
      int packed = chunk.s32();
      width = 1 + (packed & 0x3FFF);
      height = 1 + (packed >> 14 & 0x3FFF);
    } else {
      int keyFrame = chunk.u8() & 1;
      int startCode = u24(chunk.skip(2));
      if (keyFrame != 0 || startCode != 0x2A019D) {
        throw ImageException.bad("the lossy WebP image does not begin with a key frame");
      }
      width = chunk.u16() & 0x3FFF;
      height = chunk.u16() & 0x3FFF;
    }
    limits.checkSize(width, height);
    return lossless
        ? Conversion.RGB.apply(readLossless(start, length, (long) width * height))
        : Vp8Decoder.decode(data, start, start + length, width, height);
  }

  private Raster readLossless(int start, int length, long pixels) throws IOException {
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    file.writeBytes(new byte[] {'R', 'I', 'F', 'F'});
    int padded = length + LOOK_AHEAD + (length & 1);
    writeU32(file, 12 + padded);
    file.writeBytes(new byte[] {'W', 'E', 'B', 'P', 'V', 'P', '8', 'L'});
    writeU32(file, padded);
    file.write(data, start, length);
    file.writeBytes(new byte[padded - length]);
    byte[] bytes = file.toByteArray();
    ImageIoReaders.ByteArrayStream input =
        new ImageIoReaders.ByteArrayStream(bytes, Math.max(bytes.length, pixels));
    Raster raster = ImageIoReaders.read(new WebPImageReaderSpi(), input).getRaster();
    if (input.overrun()) {
      throw ImageException.bad("the WebP image is truncated: its data ends before its pixels");
    }
    return raster;
  }

  private static void writeU32(ByteArrayOutputStream out, int value) {
    for (int shift = 0; shift < 32; shift += 8) {
      out.write(value >> shift);
    }
  }

  private RgbImage onCanvas() {
    if (!animated) {
      return frame;
    }
    if (left + frame.width() > canvasWidth || top + frame.height() > canvasHeight) {
      throw ImageException.bad(
          "the WebP frame of %d x %d at (%d, %d) does not fit the canvas of %d x %d",
          frame.width(), frame.height(), left, top, canvasWidth, canvasHeight);
    }
    byte[] canvas = new byte[3 * canvasWidth * canvasHeight];
    for (int y = 0; y < frame.height(); y++) {
      System.arraycopy(
          frame.rgb(), 3 * y * frame.width(),
          canvas, 3 * ((top + y) * canvasWidth + left), 3 * frame.width());
    }
    return new RgbImage(canvasWidth, canvasHeight, canvas);
  }
}
