package io.embed4j.model;

import io.embed4j.ffm.GgufFile;
import io.embed4j.image.ImageProcessor;
import java.nio.file.Path;

/**
 * What the Java side needs of the vision file: the image processor and the tokens around an image. Keys are llama.cpp's
 * multimodal projector's unless embed4j.*.
 *
 * @param processor preprocessor_config.json of the checkpoint
 * @param imageTokenId the placeholder that merged patches replace
 * @param startTokenId before an image's tokens
 * @param endTokenId after them
 */
public record VisionFile(ImageProcessor processor, int imageTokenId, int startTokenId, int endTokenId) {
  private static final int TEMPORAL_PATCH_SIZE = 2;

  /** Reads the keys; what is missing or out of range is named with its file. */
  public static VisionFile read(Path path) {
    try (GgufFile file = GgufFile.open(path)) {
      GgufKeys keys = new GgufKeys(file);
      keys.require("general.architecture", "clip");
      keys.require("clip.projector_type", "qwen2.5vl_merger");
      return new VisionFile(processor(keys), keys.size("embed4j.vision.image_token_id"),
          keys.size("embed4j.vision.start_token_id"), keys.size("embed4j.vision.end_token_id"));
    }
  }

  private static ImageProcessor processor(GgufKeys keys) {
    try {
      return new ImageProcessor(keys.size("clip.vision.image_min_pixels"), keys.size("clip.vision.image_max_pixels"),
          keys.size("clip.vision.patch_size"), TEMPORAL_PATCH_SIZE, keys.size("clip.vision.spatial_merge_size"),
          keys.value("clip.vision.image_mean").floats(), keys.value("clip.vision.image_std").floats());
    } catch (IllegalArgumentException e) {
      throw keys.bad("has image preprocessing that does not work: " + e.getMessage());
    }
  }
}
