package io.embed4j;

import io.embed4j.image.ImageDecoder;
import io.embed4j.image.ImageException;
import io.embed4j.image.ImageLimits;
import io.embed4j.image.RgbImage;
import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.Objects;

/**
 * A picture to embed: a file, its bytes, or pixels. JPEG, PNG, WebP, TIFF, BMP and GIF (its first frame) are told apart by
 * content; alpha is dropped and colour profiles are ignored, as the model's own preprocessing does. Nothing is read before
 * the picture is embedded. Immutable; arrays and images handed over must stay unchanged until then.
 */
public final class ImageInput {
  /** Reads the picture for a pixel budget. */
  interface Source {
    RgbImage read(ImageDecoder decoder, long maxPixels);
  }

  private final Source source;
  private final ImageLimits limits;
  private final boolean applyOrientation;

  private ImageInput(Source source, ImageLimits limits, boolean applyOrientation) {
    this.source = source;
    this.limits = limits;
    this.applyOrientation = applyOrientation;
  }

  static ImageInput of(Source source) {
    return new ImageInput(source, ImageLimits.DEFAULT, false);
  }

  /** The picture in a file. */
  public static ImageInput of(Path file) {
    Objects.requireNonNull(file, "file");
    return of((decoder, maxPixels) -> decoder.decode(file));
  }

  /** The picture in these bytes, encoded. */
  public static ImageInput of(byte[] encoded) {
    Objects.requireNonNull(encoded, "encoded");
    return of((decoder, maxPixels) -> decoder.decode(encoded));
  }

  /** A decoded picture. */
  public static ImageInput of(BufferedImage image) {
    Objects.requireNonNull(image, "image");
    return of((decoder, maxPixels) -> decoder.decode(image));
  }

  /**
   * Raw pixels.
   *
   * @param rgb [height][width][3], 8 bits each
   * @throws IllegalArgumentException when the array has another size
   */
  public static ImageInput ofRgb(int width, int height, byte[] rgb) {
    RgbImage image = new RgbImage(width, height, rgb);
    return of((decoder, maxPixels) -> image);
  }

  /** The same picture turned as its EXIF orientation says; by default it is not, as in the model's own preprocessing. */
  public ImageInput applyOrientation() {
    return new ImageInput(source, limits, true);
  }

  /**
   * The same picture under other limits than 200 megapixels and 256 MiB.
   *
   * @param maxPixels of the encoded picture, checked against its header before memory is taken
   * @param maxBytes of the encoded picture
   * @throws IllegalArgumentException for a limit out of range
   */
  public ImageInput limits(long maxPixels, long maxBytes) {
    return new ImageInput(source, new ImageLimits(maxPixels, maxBytes), applyOrientation);
  }

  /** The pixels; maxPixels is the model's budget, for sources that can be drawn at any size. */
  RgbImage read(long maxPixels) {
    try {
      RgbImage image = source.read(new ImageDecoder(limits, applyOrientation), maxPixels);
      limits.checkSize(image.width(), image.height());
      return image;
    } catch (ImageException e) {
      throw error(e);
    }
  }

  static EmbeddingException error(ImageException e) {
    return new EmbeddingException(e.code(), e.getMessage(), e);
  }
}
