package io.embed4j.image;

import java.time.Duration;
import java.util.Objects;

/**
 * What one PDF may ask for.
 *
 * @param image of every rendered page and every picture on it, and of the file's bytes
 * @param maxPages the document may have
 * @param maxPageTime for drawing one page; looked at between drawing operations
 */
public record PdfLimits(ImageLimits image, int maxPages, Duration maxPageTime) {
  /** {@link ImageLimits#DEFAULT}, 5000 pages, one minute per page. */
  public static final PdfLimits DEFAULT = new PdfLimits(ImageLimits.DEFAULT, 5000, Duration.ofMinutes(1));

  /** Throws IllegalArgumentException for a limit that is not positive. */
  public PdfLimits {
    Objects.requireNonNull(image, "image");
    if (maxPages < 1 || maxPageTime.isNegative() || maxPageTime.isZero()) {
      throw new IllegalArgumentException(
          "maxPages is %d and maxPageTime %s, expected positive".formatted(maxPages, maxPageTime));
    }
  }
}
