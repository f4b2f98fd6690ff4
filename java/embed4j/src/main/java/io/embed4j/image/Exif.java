package io.embed4j.image;

/** The orientation tag of EXIF data, and what it means for pixels. Damaged EXIF data is as good as none. */
final class Exif {
  private static final int ORIENTATION = 274;
  private static final int SHORT = 3;

  private Exif() {}

  /** 1 to 8; 1 when there is none. The data is a TIFF structure, with or without "Exif\0\0" before it, or null. */
  static int orientation(byte[] data) {
    if (data == null) {
      return 1;
    }
    try {
      int start = data.length > 6 && data[0] == 'E' && data[1] == 'x' ? 6 : 0;
      ByteReader in = new ByteReader(data);
      in.seek(start).littleEndian(data[start] == 'I').skip(4);
      in.seek(start + in.u32());
      for (int entries = in.u16(); entries > 0; entries--) {
        int tag = in.u16();
        int type = in.u16();
        long count = in.u32();
        int value = in.u16();
        in.skip(2);
        if (tag == ORIENTATION && type == SHORT && count == 1) {
          return value >= 1 && value <= 8 ? value : 1;
        }
      }
      return 1;
    } catch (ImageException | ArrayIndexOutOfBoundsException damaged) {
      return 1;
    }
  }

  /** The image turned and mirrored so that it stands upright. */
  static RgbImage upright(RgbImage image, int orientation) {
    if (orientation == 1) {
      return image;
    }
    boolean swap = orientation >= 5;
    boolean mirrorX = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    boolean mirrorY = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    int width = swap ? image.height() : image.width();
    int height = swap ? image.width() : image.height();
    byte[] source = image.rgb();
    byte[] target = new byte[source.length];
    int out = 0;
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        int column = swap ? y : x;
        int row = swap ? x : y;
        int sourceX = mirrorX ? image.width() - 1 - column : column;
        int sourceY = mirrorY ? image.height() - 1 - row : row;
        System.arraycopy(source, 3 * (sourceY * image.width() + sourceX), target, out, 3);
        out += 3;
      }
    }
    return new RgbImage(width, height, target);
  }
}
