package io.embed4j.image;

import java.util.Objects;

/**
 * Pixels as PIL's mode RGB holds them: 8 bits per sample, no colour management, no alpha.
 *
 * @param width pixels per row, at least 1
 * @param height rows, at least 1
 * @param rgb [height][width][3], not copied: the caller hands it over
 */
public record RgbImage(int width, int height, byte[] rgb) {

  /** Throws IllegalArgumentException when the array does not hold exactly width * height pixels. */
  public RgbImage {
    Objects.requireNonNull(rgb, "rgb");
    if (width < 1 || height < 1 || 3L * width * height != rgb.length) {
      throw new IllegalArgumentException(
          "%d x %d RGB pixels do not fit %d bytes: expected 3 * width * height"
              .formatted(width, height, rgb.length));
    }
  }

  @Override
  public String toString() {
    return "RgbImage[%d x %d]".formatted(width, height);
  }
}
