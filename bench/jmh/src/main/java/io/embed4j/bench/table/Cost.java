package io.embed4j.bench.table;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * What a model has to compute and read, in operations (a multiplication and an addition are two) and bytes.
 *
 * @param matrices operations per token in the decoder's matrices, the task's adapter included
 * @param pairs operations per pair of a token with one that it attends to, all heads and layers
 * @param bytes of the decoder's matrices and the task's adapter (bf16), as stored
 */
record Cost(double matrices, double pairs, double bytes) {
  // The vision tower of the checkpoint (config.json, vision_config).
  private static final double VISION_LAYERS = 32;
  private static final double FULL_LAYERS = 4;
  private static final double WIDTH = 1280;
  private static final double INTERMEDIATE = 3420;
  private static final double WINDOW = 64; // patches
  private static final double PATCH_VALUES = 1176;
  private static final double MERGED = 4; // patches of a token

  /** Of an open model, from what its process says when it is ready. */
  static Cost of(JsonNode ready) {
    double hidden = ready.get("hidden").asDouble();
    double queries = ready.get("heads").asDouble() * ready.get("head_dim").asDouble();
    double keys = ready.get("key_value_heads").asDouble() * ready.get("head_dim").asDouble();
    double layers = ready.get("layers").asDouble();
    double adapter = ready.get("adapter_parameters").asDouble();
    double weights = layers * (2 * hidden * queries + 2 * hidden * keys + 3 * hidden * ready.get("intermediate").asDouble());
    return new Cost(2 * (weights + adapter), 4 * queries * layers, ready.get("layer_bytes").asDouble() + 2 * adapter);
  }

  /** Operations of causal attention over a text. */
  double attention(int tokens) {
    return pairs * tokens * (tokens + 1.0) / 2;
  }

  /** All operations of a text. */
  double text(int tokens) {
    return matrices * tokens + attention(tokens);
  }

  /** Operations of the vision tower's matrices for a picture; outputHidden: the decoder's hidden_size. */
  static double visionMatrices(int patches, double outputHidden) {
    double layer = WIDTH * 3 * WIDTH + WIDTH * WIDTH + 3 * WIDTH * INTERMEDIATE;
    double merger = (MERGED * WIDTH * MERGED * WIDTH + MERGED * WIDTH * outputHidden) / MERGED;
    return 2 * patches * (PATCH_VALUES * WIDTH + VISION_LAYERS * layer + merger);
  }

  /** Those of them in the down projections, which stay bf16 in a file of 8-bit blocks: 3,420 columns are no blocks of 32. */
  static double visionDown(int patches) {
    return 2 * patches * VISION_LAYERS * WIDTH * INTERMEDIATE;
  }

  /** Operations of the vision tower's attention: windows, and all patches in the full layers. */
  static double visionAttention(int patches) {
    return 4 * WIDTH * patches * ((VISION_LAYERS - FULL_LAYERS) * WINDOW + FULL_LAYERS * patches);
  }
}
