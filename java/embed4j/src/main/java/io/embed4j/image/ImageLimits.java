package io.embed4j.image;

/**
 * What one image may ask for. Everything here is checked against the header, before pixels are allocated.
 *
 * @param maxPixels width times height of the encoded image, 1 to 715827882 (what one Java array can hold)
 * @param maxBytes of the encoded file
 */
public record ImageLimits(long maxPixels, long maxBytes) {
  /** The longer side over the shorter: the model's image processor refuses more. */
  public static final int MAX_ASPECT_RATIO = 200;

  /** 200 megapixels, 256 MiB. */
  public static final ImageLimits DEFAULT = new ImageLimits(200_000_000, 256L << 20);

  private static final long ARRAY_PIXELS = Integer.MAX_VALUE / 3;

  /** Throws IllegalArgumentException for a limit out of range. */
  public ImageLimits {
    if (maxPixels < 1 || maxPixels > ARRAY_PIXELS) {
      throw new IllegalArgumentException(
          "maxPixels is %d, expected 1 to %d".formatted(maxPixels, ARRAY_PIXELS));
    }
    if (maxBytes < 1 || maxBytes > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "maxBytes is %d, expected 1 to %d".formatted(maxBytes, Integer.MAX_VALUE));
    }
  }

  /** Throws {@link ImageException} when an image of this size is empty, too large or too narrow. */
  public void checkSize(long width, long height) {
    if (width < 1 || height < 1) {
      throw ImageException.bad("the image is %d x %d pixels, expected at least 1 x 1", width, height);
    }
    if (width > maxPixels / height) {
      throw ImageException.limit(
          "the image is %d x %d pixels, the limit is %d in all", width, height, maxPixels);
    }
    if (Math.max(width, height) > MAX_ASPECT_RATIO * Math.min(width, height)) {
      throw ImageException.limit(
          "the image is %d x %d pixels, the longer side may be %d times the shorter",
          width, height, MAX_ASPECT_RATIO);
    }
  }

  void checkBytes(long bytes) {
    if (bytes > maxBytes) {
      throw ImageException.limit("the file has %d bytes, the limit is %d", bytes, maxBytes);
    }
  }
}
