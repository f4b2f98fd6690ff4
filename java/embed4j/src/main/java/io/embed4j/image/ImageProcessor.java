package io.embed4j.image;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * From pixels to the patch matrix, as Qwen2-VL's image processor computes it (preprocessor_config.json of the
 * checkpoint): resize to a multiple of patch size times merge size, rescale, normalise, cut into patches.
 *
 * <p>Results are those of transformers in float32, bit for bit: a sample has 256 values per channel, so rescaling and
 * normalising is one table. Immutable and thread-safe.
 */
public final class ImageProcessor {
  private static final int CHANNELS = 3;
  private static final double RESCALE_FACTOR = 1 / 255.0;

  private final long minPixels;
  private final long maxPixels;
  private final int patchSize;
  private final int temporalPatchSize;
  private final int mergeSize;
  private final float[] mean;
  private final float[] std;
  private final float[][] normalised; // [channel][sample]

  /**
   * The processor of one checkpoint.
   *
   * @param minPixels min_pixels: smaller images are enlarged, 1 to maxPixels
   * @param maxPixels max_pixels: larger images are reduced, at most 2^28
   * @param patchSize patch_size, 1 to 64
   * @param temporalPatchSize temporal_patch_size: times a still image is repeated within a patch, 1 to 8
   * @param mergeSize merge_size, 1 to 8
   * @param mean image_mean, of samples scaled to 0..1, per channel
   * @param std image_std, per channel, positive
   * @throws IllegalArgumentException for a value out of range
   */
  public ImageProcessor(
      long minPixels,
      long maxPixels,
      int patchSize,
      int temporalPatchSize,
      int mergeSize,
      float[] mean,
      float[] std) {
    checkRange("patch_size", patchSize, 1, 64);
    checkRange("temporal_patch_size", temporalPatchSize, 1, 8);
    checkRange("merge_size", mergeSize, 1, 8);
    checkRange("max_pixels", maxPixels, (long) patchSize * patchSize * mergeSize * mergeSize, 1 << 28);
    checkRange("min_pixels", minPixels, 1, maxPixels);
    checkRange("values of image_mean", mean.length, CHANNELS, CHANNELS);
    checkRange("values of image_std", std.length, CHANNELS, CHANNELS);
    this.minPixels = minPixels;
    this.maxPixels = maxPixels;
    this.patchSize = patchSize;
    this.temporalPatchSize = temporalPatchSize;
    this.mergeSize = mergeSize;
    this.mean = mean.clone();
    this.std = std.clone();
    this.normalised = new float[CHANNELS][256];
    for (int channel = 0; channel < CHANNELS; channel++) {
      if (!Float.isFinite(mean[channel]) || !(std[channel] > 0) || Float.isInfinite(std[channel])) {
        throw new IllegalArgumentException(
            "image_mean %s and image_std %s of channel %d, expected finite and positive"
                .formatted(mean[channel], std[channel], channel));
      }
      for (int sample = 0; sample < 256; sample++) {
        float rescaled = (float) (sample * RESCALE_FACTOR);
        normalised[channel][sample] = (rescaled - mean[channel]) / std[channel];
      }
    }
  }

  private static void checkRange(String what, long value, long low, long high) {
    if (value < low || value > high) {
      throw new IllegalArgumentException(
          "%s is %d, expected %d to %d".formatted(what, value, low, high));
    }
  }

  /** The same processor with another pixel budget, as --min-pixels and --max-pixels ask. */
  public ImageProcessor withPixels(long minPixels, long maxPixels) {
    return new ImageProcessor(
        minPixels, maxPixels, patchSize, temporalPatchSize, mergeSize, mean, std);
  }

  /** Pixels below which an image is enlarged. */
  public long minPixels() {
    return minPixels;
  }

  /** Pixels above which an image is reduced. */
  public long maxPixels() {
    return maxPixels;
  }

  /** Patches merged into one token, per side. */
  public int mergeSize() {
    return mergeSize;
  }

  /** float32 values of one patch: channels * temporal_patch_size * patch_size * patch_size. */
  public int patchValues() {
    return CHANNELS * temporalPatchSize * patchSize * patchSize;
  }

  /**
   * The grid an image of this size is resized to.
   *
   * @throws ImageException image_limit when one side is more than 200 times the other, bad_image when it is empty
   */
  public ImageGrid grid(int width, int height) {
    if (width < 1 || height < 1) {
      throw ImageException.bad("the image is %d x %d pixels, expected at least 1 x 1", width, height);
    }
    if (Math.max(width, height) > (long) ImageLimits.MAX_ASPECT_RATIO * Math.min(width, height)) {
      throw ImageException.limit(
          "the image is %d x %d pixels, the longer side may be %d times the shorter",
          width, height, ImageLimits.MAX_ASPECT_RATIO);
    }
    double factor = patchSize * mergeSize;
    double pixels = (double) height * width;
    // Python's round() and Math.rint both round halves to even
    double resizedHeight = Math.rint(height / factor) * factor;
    double resizedWidth = Math.rint(width / factor) * factor;
    if (resizedHeight * resizedWidth > maxPixels) {
      double beta = Math.sqrt(pixels / maxPixels);
      resizedHeight = Math.max(factor, Math.floor(height / beta / factor) * factor);
      resizedWidth = Math.max(factor, Math.floor(width / beta / factor) * factor);
    } else if (resizedHeight * resizedWidth < minPixels) {
      double beta = Math.sqrt(minPixels / pixels);
      resizedHeight = Math.ceil(height * beta / factor) * factor;
      resizedWidth = Math.ceil(width * beta / factor) * factor;
    }
    return new ImageGrid(1, (int) resizedHeight / patchSize, (int) resizedWidth / patchSize);
  }

  /**
   * Resizes the image and writes its patches.
   *
   * <p>Rows come in groups of merge_size * merge_size neighbours, groups from left to right and top to bottom; within
   * a row: channel, temporal, patch row, patch column.
   *
   * @param patches float32 [grid.patches()][patchValues()] in native byte order, exactly
   * @return the grid, as {@link #grid} gives it
   * @throws IllegalArgumentException when the segment has another size
   */
  public ImageGrid patches(RgbImage image, MemorySegment patches) {
    ImageGrid grid = grid(image.width(), image.height());
    long expected = 4L * grid.patches() * patchValues();
    if (patches.byteSize() != expected) {
      throw new IllegalArgumentException(
          "%d bytes for the patches of a grid of %d x %d, expected %d"
              .formatted(patches.byteSize(), grid.height(), grid.width(), expected));
    }
    RgbImage resized =
        BicubicResize.resize(image, grid.width() * patchSize, grid.height() * patchSize);
    float[] values = new float[patchValues()];
    long offset = 0;
    for (int groupRow = 0; groupRow < grid.height(); groupRow += mergeSize) {
      for (int groupColumn = 0; groupColumn < grid.width(); groupColumn += mergeSize) {
        for (int row = groupRow; row < groupRow + mergeSize; row++) {
          for (int column = groupColumn; column < groupColumn + mergeSize; column++) {
            fillPatch(resized, row, column, values);
            MemorySegment.copy(
                values, 0, patches, ValueLayout.JAVA_FLOAT_UNALIGNED, offset, values.length);
            offset += 4L * values.length;
          }
        }
      }
    }
    return grid;
  }

  private void fillPatch(RgbImage image, int row, int column, float[] values) {
    byte[] rgb = image.rgb();
    int frame = patchSize * patchSize;
    for (int channel = 0; channel < CHANNELS; channel++) {
      float[] table = normalised[channel];
      int first = channel * temporalPatchSize * frame;
      int out = first;
      for (int y = row * patchSize; y < (row + 1) * patchSize; y++) {
        int at = 3 * (y * image.width() + column * patchSize) + channel;
        for (int x = 0; x < patchSize; x++, at += 3) {
          values[out++] = table[rgb[at] & 0xFF];
        }
      }
      for (int repeat = 1; repeat < temporalPatchSize; repeat++) {
        System.arraycopy(values, first, values, first + repeat * frame, frame);
      }
    }
  }
}
