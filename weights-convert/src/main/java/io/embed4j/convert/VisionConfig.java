package io.embed4j.convert;

import java.util.List;

/**
 * The vision tower's part of config.json. Sizes in pixels where not stated otherwise.
 *
 * @param windowSize side of an attention window
 * @param fullAttention layers that attend over the whole image instead of within windows, ascending
 */
record VisionConfig(
    int depth,
    int hiddenSize,
    int heads,
    int intermediateSize,
    int patchSize,
    int spatialMergeSize,
    int windowSize,
    List<Integer> fullAttention) {

  static final int CHANNELS = 3;
  /** A still image is doubled to make two frames; GGUF files hold one patch embedding tensor per frame. */
  static final int TEMPORAL_PATCH_SIZE = 2;

  static VisionConfig of(JsonObject vision, int textHiddenSize) {
    vision.only("hidden_act", "silu", true);
    vision.only("in_channels", CHANNELS, true);
    vision.only("in_chans", CHANNELS, true);
    vision.only("temporal_patch_size", TEMPORAL_PATCH_SIZE, false);
    int patch = vision.extent("patch_size");
    vision.only("spatial_patch_size", patch, true);
    if (vision.extent("out_hidden_size") != textHiddenSize) {
      throw Failure.bad(vision.where(), "out_hidden_size is " + vision.shown("out_hidden_size")
          + ", expected the decoder's hidden_size " + textHiddenSize);
    }
    int hidden = vision.extent("hidden_size");
    int heads = vision.extent("num_heads");
    if (hidden % heads != 0 || hidden / heads % 4 != 0) {
      throw Failure.bad(vision.where(), "hidden_size " + hidden + " over num_heads " + heads
          + ", expected heads of a multiple of 4");
    }
    int merge = (int) vision.integer("spatial_merge_size", 1, 64);
    int window = vision.extent("window_size");
    if (window % ((long) merge * patch) != 0) {
      throw Failure.bad(vision.where(), "window_size is " + window + ", expected a multiple of patch_size " + patch
          + " times spatial_merge_size " + merge);
    }
    int depth = (int) vision.integer("depth", 1, 4096);
    List<Integer> full = vision.integers("fullatt_block_indexes", 0, depth - 1);
    if (!full.equals(full.stream().sorted().distinct().toList())) {
      throw Failure.bad(vision.where(), "fullatt_block_indexes is " + full + ", expected ascending layers");
    }
    return new VisionConfig(depth, hidden, heads, vision.extent("intermediate_size"), patch, merge, window, full);
  }

  /** Values of one patch: channels, frames, rows, columns. */
  int patchValues() {
    return CHANNELS * TEMPORAL_PATCH_SIZE * patchSize * patchSize;
  }

  /** Width of the rows that the merger takes: the patches of one square side by side. */
  int mergedSize() {
    return hiddenSize * spatialMergeSize * spatialMergeSize;
  }

  /**
   * n when exactly every n-th layer has full attention, which is all that llama.cpp's file format can say; 0 otherwise.
   */
  int fullAttentionPeriod() {
    if (fullAttention.isEmpty()) return 0;
    int period = fullAttention.getFirst() + 1;
    for (int layer = 0; layer < depth; layer++) {
      if (fullAttention.contains(layer) != ((layer + 1) % period == 0)) return 0;
    }
    return period;
  }
}
