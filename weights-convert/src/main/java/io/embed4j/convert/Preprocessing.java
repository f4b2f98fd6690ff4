package io.embed4j.convert;

import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What preprocessor_config.json says of images: converted to RGB, resized bicubically so that width times height stays
 * between two limits, rescaled to 0..1 and normalised per channel.
 *
 * @param minPixels width times height after resizing, at least
 * @param maxPixels at most
 * @param mean per channel R, G, B
 * @param std per channel R, G, B
 */
record Preprocessing(int minPixels, int maxPixels, List<Float> mean, List<Float> std) {
  private static final Logger LOG = LoggerFactory.getLogger(Preprocessing.class);
  /** PIL's number for bicubic. */
  private static final int BICUBIC = 3;

  static Preprocessing of(JsonObject image, VisionConfig vision) {
    for (String step : List.of("do_resize", "do_rescale", "do_normalize", "do_convert_rgb")) {
      image.only(step, true, true);
    }
    image.only("resample", BICUBIC, true);
    if (image.has("rescale_factor") && Math.abs(image.number("rescale_factor") * 255 - 1) > 1e-9) {
      throw Failure.unsupported(image.where(), "rescale_factor is " + image.shown("rescale_factor")
          + "; only 1/255 is implemented");
    }
    image.only("patch_size", vision.patchSize(), true);
    image.only("temporal_patch_size", VisionConfig.TEMPORAL_PATCH_SIZE, true);
    image.only("merge_size", vision.spatialMergeSize(), true);
    int min = pixels(image, "min_pixels", "shortest_edge");
    int max = pixels(image, "max_pixels", "longest_edge");
    if (min > max) {
      throw Failure.bad(image.where(), "min_pixels is " + min + ", expected at most max_pixels " + max);
    }
    List<Float> std = channels(image, "image_std");
    if (std.stream().anyMatch(value -> value <= 0)) {
      throw Failure.bad(image.where(), "image_std is " + std + ", expected numbers above 0");
    }
    return new Preprocessing(min, max, channels(image, "image_mean"), std);
  }

  private static List<Float> channels(JsonObject image, String key) {
    List<Float> values = image.floats(key);
    if (values.size() != VisionConfig.CHANNELS || !values.stream().allMatch(Float::isFinite)) {
      throw Failure.bad(image.where(), key + " is " + image.shown(key) + ", expected 3 numbers");
    }
    return values;
  }

  /** A limit under its old name, or in size under its new one; where they differ the library obeys the old. */
  private static int pixels(JsonObject image, String key, String edge) {
    if (!image.has("size")) return (int) image.integer(key, 1, Integer.MAX_VALUE);
    JsonObject size = image.object("size");
    if (!image.has(key)) return (int) size.integer(edge, 1, Integer.MAX_VALUE);
    int pixels = (int) image.integer(key, 1, Integer.MAX_VALUE);
    if (size.has(edge) && size.integer(edge, 1, Integer.MAX_VALUE) != pixels) {
      LOG.info("{}: {} {} overrides size.{} {}", image.where(), key, pixels, edge, size.shown(edge));
    }
    return pixels;
  }
}
