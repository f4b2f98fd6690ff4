package io.embed4j.image;

import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/**
 * Encoded images to RGB as {@code PIL.Image.open(file).convert("RGB")} gives it: JPEG, PNG, WebP, TIFF, BMP, GIF, told
 * apart by content. Alpha is dropped, palettes are looked up, colour profiles and gamma are ignored.
 *
 * <p>Whatever the bytes are, the outcome is an image or an {@link ImageException}. Immutable and thread-safe.
 */
public final class ImageDecoder {
  private static final int MIN_BYTES = 16; // to tell formats apart; no image is smaller

  private final ImageLimits limits;
  private final boolean applyOrientation;

  /**
   * A decoder.
   *
   * @param limits checked against headers, before pixels are allocated
   * @param applyOrientation whether EXIF's orientation turns the image; the reference ignores it
   */
  public ImageDecoder(ImageLimits limits, boolean applyOrientation) {
    this.limits = Objects.requireNonNull(limits, "limits");
    this.applyOrientation = applyOrientation;
  }

  /** The default limits, and pixels as they are stored. */
  public ImageDecoder() {
    this(ImageLimits.DEFAULT, false);
  }

  /** The image in a file. */
  public RgbImage decode(Path file) {
    byte[] bytes;
    try (InputStream in = Files.newInputStream(file)) {
      limits.checkBytes(Files.size(file));
      bytes = in.readNBytes((int) Math.min(limits.maxBytes() + 1, Integer.MAX_VALUE - 8));
    } catch (IOException e) {
      throw new ImageException(
          ImageException.IO_ERROR, "the image cannot be read: " + describe(e), e);
    } catch (OutOfMemoryError e) {
      throw outOfMemory(e);
    }
    return decode(bytes);
  }

  /** The image in these bytes. */
  public RgbImage decode(byte[] bytes) {
    limits.checkBytes(bytes.length);
    try {
      DecodedImage image = decodeFormat(bytes);
      return applyOrientation ? Exif.upright(image.pixels(), image.orientation()) : image.pixels();
    } catch (ImageException e) {
      throw e;
    } catch (IOException | RuntimeException | StackOverflowError e) {
      // the decoders meet damaged data with exceptions of many kinds
      throw new ImageException(
          ImageException.BAD_IMAGE, "the image cannot be decoded: " + describe(e), e);
    } catch (OutOfMemoryError e) {
      throw outOfMemory(e);
    }
  }

  private DecodedImage decodeFormat(byte[] bytes) throws IOException {
    if (bytes.length < MIN_BYTES) {
      throw ImageException.bad("%d bytes are not an image", bytes.length);
    }
    if (startsWith(bytes, 0, 0xFF, 0xD8, 0xFF)) {
      return JpegDecoder.decode(bytes, limits);
    } else if (startsWith(bytes, 0, 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n')) {
      return PngDecoder.decode(bytes, limits);
    } else if (startsWith(bytes, 0, 'R', 'I', 'F', 'F') && startsWith(bytes, 8, 'W', 'E', 'B', 'P')) {
      return WebpDecoder.decode(bytes, limits);
    } else if (isTiff(bytes)) {
      return TiffDecoder.decode(bytes, limits);
    } else if (startsWith(bytes, 0, 'G', 'I', 'F', '8')) {
      return GifDecoder.decode(bytes, limits);
    } else if (startsWith(bytes, 0, 'B', 'M')) {
      return BmpDecoder.decode(bytes, limits);
    }
    throw ImageException.unsupported(
        "the file begins with bytes %02x %02x %02x %02x, expected JPEG, PNG, WebP, TIFF, BMP or GIF%s",
        bytes[0], bytes[1], bytes[2], bytes[3],
        startsWith(bytes, 0, '%', 'P', 'D', 'F') ? "; this is a PDF" : "");
  }

  private static boolean isTiff(byte[] bytes) {
    return startsWith(bytes, 0, 'I', 'I', 42, 0)
        || startsWith(bytes, 0, 'M', 'M', 0, 42)
        || startsWith(bytes, 0, 'I', 'I', 43, 0)
        || startsWith(bytes, 0, 'M', 'M', 0, 43);
  }

  private static boolean startsWith(byte[] bytes, int offset, int... expected) {
    for (int i = 0; i < expected.length; i++) {
      if ((bytes[offset + i] & 0xFF) != expected[i]) {
        return false;
      }
    }
    return true;
  }

  /**
   * A picture that is already decoded. Grey and RGB samples are taken as they are, 16-bit ones by their high byte,
   * alpha is dropped.
   */
  public RgbImage decode(BufferedImage image) {
    limits.checkSize(image.getWidth(), image.getHeight());
    ColorModel colors = image.getColorModel();
    int type = image.getRaster().getTransferType();
    boolean bytes = type == DataBuffer.TYPE_BYTE && colors.getComponentSize(0) == 8;
    boolean shorts = type == DataBuffer.TYPE_USHORT && colors.getComponentSize(0) == 16;
    boolean straight = !colors.isAlphaPremultiplied();
    int space = colors.getColorSpace().getType();
    boolean components = colors instanceof ComponentColorModel && straight;
    if (components && space == ColorSpace.TYPE_GRAY && (bytes || shorts)) {
      return (bytes ? Conversion.GREY : Conversion.GREY_HIGH_BYTE).apply(image.getRaster());
    } else if (components && space == ColorSpace.TYPE_RGB && (bytes || shorts)) {
      return (bytes ? Conversion.RGB : Conversion.RGB_HIGH_BYTE).apply(image.getRaster());
    } else if (space == ColorSpace.TYPE_RGB) {
      return sRgb(image);
    }
    throw ImageException.unsupported(
        "a BufferedImage with colour space type %d and %d components is not supported, expected grey or RGB",
        space, colors.getNumComponents());
  }

  private static RgbImage sRgb(BufferedImage image) {
    int width = image.getWidth();
    byte[] rgb = new byte[3 * width * image.getHeight()];
    int[] row = new int[width];
    int out = 0;
    for (int y = 0; y < image.getHeight(); y++) {
      image.getRGB(0, y, width, 1, row, 0, width);
      for (int pixel : row) {
        rgb[out++] = (byte) (pixel >> 16);
        rgb[out++] = (byte) (pixel >> 8);
        rgb[out++] = (byte) pixel;
      }
    }
    return new RgbImage(width, image.getHeight(), rgb);
  }

  static ImageException outOfMemory(OutOfMemoryError cause) {
    return new ImageException(
        ImageException.IMAGE_LIMIT,
        "the image needs more memory than the Java heap has; raise -Xmx or lower the pixel limit",
        cause);
  }

  static String describe(Throwable e) {
    Throwable root = e.getCause() == null ? e : e.getCause();
    return root.getMessage() == null
        ? root.getClass().getSimpleName()
        : root.getClass().getSimpleName() + ": " + root.getMessage();
  }
}
