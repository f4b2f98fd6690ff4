package io.embed4j.image;

import java.awt.image.Raster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;

/**
 * GIF, first frame, on the logical screen as PIL paints it: what the frame leaves free has the transparent colour, or
 * colour 0; the screen grows where the frame does not fit. Blocks are walked here; the JDK's reader gets the frame
 * alone and gives its indices.
 */
final class GifDecoder {
  private static final int IMAGE = ',';
  private static final int EXTENSION = '!';
  private static final int TRAILER = ';';
  private static final int GRAPHIC_CONTROL = 0xF9;

  private final byte[] data;
  private final ByteReader in;
  private int transparent = -1;

  private GifDecoder(byte[] data) {
    this.data = data;
    this.in = new ByteReader(data).littleEndian(true);
  }

  static DecodedImage decode(byte[] data, ImageLimits limits) throws IOException {
    return new DecodedImage(new GifDecoder(data).decode(limits), 1);
  }

  private RgbImage decode(ImageLimits limits) throws IOException {
    int screenWidth = in.skip(6).u16();
    int screenHeight = in.u16();
    byte[] palette = palette(in.u8(), in.skip(2));
    toFirstFrame();
    int left = in.u16();
    int top = in.u16();
    int frameWidth = in.u16();
    int frameHeight = in.u16();
    int flags = in.u8();
    byte[] local = palette(flags, in);
    if (local != null) {
      palette = local;
    }
    if (frameWidth == 0 || frameHeight == 0) {
      throw ImageException.bad("the GIF frame is %d x %d pixels", frameWidth, frameHeight);
    }
    int width = Math.max(screenWidth, left + frameWidth);
    int height = Math.max(screenHeight, top + frameHeight);
    limits.checkSize(width, height);

    Raster indices = ImageIoReaders.read("gif", frame(frameWidth, frameHeight, flags)).getRaster();
    byte[] canvas = new byte[width * height];
    Arrays.fill(canvas, (byte) Math.max(transparent, 0));
    Samples samples = new Samples(indices);
    if (samples.width() != frameWidth || samples.height() != frameHeight || samples.bands() != 1) {
      throw ImageException.bad(
          "the GIF frame was decoded to %d x %d pixels, expected %d x %d",
          samples.width(), samples.height(), frameWidth, frameHeight);
    }
    int[] row = new int[frameWidth];
    for (int y = 0; y < frameHeight; y++) {
      samples.row(y, row);
      int out = (top + y) * width + left;
      for (int index : row) {
        canvas[out++] = (byte) index;
      }
    }
    return paint(canvas, width, height, palette);
  }

  /** The colours, [n][3], that follow when the flags say so; null otherwise. */
  private static byte[] palette(int flags, ByteReader in) {
    return (flags & 0x80) == 0 ? null : in.bytes(3L << ((flags & 7) + 1));
  }

  private void toFirstFrame() {
    while (true) {
      int block = in.u8();
      if (block == IMAGE) {
        return;
      } else if (block == TRAILER) {
        throw ImageException.bad("the GIF file has no image");
      } else if (block == EXTENSION) {
        int label = in.u8();
        int start = in.position();
        int length = in.u8();
        if (label == GRAPHIC_CONTROL && length >= 4) {
          int flags = in.u8();
          transparent = (flags & 1) == 0 ? transparent : in.skip(2).u8();
        }
        in.seek(start);
        skipBlocks();
      }
    }
  }

  private void skipBlocks() {
    for (int length = in.u8(); length != 0; length = in.u8()) {
      in.skip(length);
    }
  }

  /** A GIF file of this frame alone, at the reader's position. */
  private byte[] frame(int width, int height, int flags) {
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    byte[] size = {(byte) width, (byte) (width >> 8), (byte) height, (byte) (height >> 8)};
    file.writeBytes(new byte[] {'G', 'I', 'F', '8', '9', 'a'});
    file.writeBytes(size);
    file.writeBytes(new byte[] {(byte) 0xF7, 0, 0}); // a palette of 256 colours: all indices are valid
    file.writeBytes(new byte[3 * 256]);
    file.write(IMAGE);
    file.writeBytes(new byte[4]);
    file.writeBytes(size);
    file.write(flags & 0x40); // interlaced
    int start = in.position();
    in.skip(1);
    skipBlocks();
    file.write(data, start, in.position() - start);
    file.write(TRAILER);
    return file.toByteArray();
  }

  private static RgbImage paint(byte[] canvas, int width, int height, byte[] palette) {
    byte[] rgb = new byte[3 * canvas.length];
    byte[] colors = new byte[3 * 256];
    if (palette != null) {
      System.arraycopy(palette, 0, colors, 0, palette.length);
    } else {
      for (int i = 0; i < colors.length; i++) {
        colors[i] = (byte) (i / 3);
      }
    }
    for (int i = 0; i < canvas.length; i++) {
      System.arraycopy(colors, 3 * (canvas[i] & 0xFF), rgb, 3 * i, 3);
    }
    return new RgbImage(width, height, rgb);
  }
}
