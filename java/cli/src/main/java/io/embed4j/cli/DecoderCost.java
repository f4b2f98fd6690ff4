package io.embed4j.cli;

import io.embed4j.ModelInfo;

/** What the decoder computes, from its shapes. */
final class DecoderCost {
  private DecoderCost() {}

  /**
   * Multiplications and additions per token of a text of n tokens: the seven matrices of each layer, two per weight, and
   * causal attention, where a token meets (n + 1) / 2 others on average, twice (scores and values). Norms, rotary
   * embedding and adapters, together a few percent, are left out.
   */
  static double flopsPerToken(ModelInfo info, int n) {
    double hidden = info.hiddenSize();
    double queries = (double) info.numAttentionHeads() * info.headDim();
    double keys = (double) info.numKeyValueHeads() * info.headDim();
    double weights = 2 * hidden * queries + 2 * hidden * keys + 3 * hidden * info.intermediateSize();
    double attention = 2 * queries * (n + 1) / 2;
    return 2 * (weights + attention) * info.numHiddenLayers();
  }
}
