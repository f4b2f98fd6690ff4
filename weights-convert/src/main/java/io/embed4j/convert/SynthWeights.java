package io.embed4j.convert;

import java.util.ArrayList;
import java.util.List;

/**
 * The tensors of a synthetic model: names and shapes of the published checkpoint, deviations that keep activations in
 * the range of a trained model.
 */
final class SynthWeights {
  static final List<String> TASKS = List.of("retrieval", "text-matching", "code");
  static final int RANK = 32;
  static final int MULTIVECTOR_DIM = 128;
  static final int PATCH_SIZE = 14;
  static final int MERGE_SIZE = 2;

  private final SynthConfig config;
  private final String salt;
  private final List<SynthTensor> tensors = new ArrayList<>();

  private SynthWeights(SynthConfig config, String salt) {
    this.config = config;
    this.salt = salt;
  }

  /** All tensors of the model itself. */
  static List<SynthTensor> model(SynthConfig config, String salt) {
    SynthWeights weights = new SynthWeights(config, salt);
    weights.addDecoder();
    weights.addVision();
    weights.addLinear("multi_vector_projector", MULTIVECTOR_DIM, config.hidden(), 1);
    weights.addBias("multi_vector_projector", MULTIVECTOR_DIM, 0.1);
    return weights.tensors;
  }

  /** All adapters, named {@code <module>.lora_A.<task>}. */
  static List<SynthTensor> adapters(SynthConfig config, String salt) {
    SynthWeights weights = new SynthWeights(config, salt);
    int hidden = config.hidden();
    int kv = config.kvHeads() * SynthConfig.HEAD_SIZE;
    for (int layer = 0; layer < config.layers(); layer++) {
      String at = "model.layers." + layer + ".";
      weights.addAdapters(at + "self_attn.q_proj", hidden, hidden);
      weights.addAdapters(at + "self_attn.k_proj", kv, hidden);
      weights.addAdapters(at + "self_attn.v_proj", kv, hidden);
      weights.addAdapters(at + "self_attn.o_proj", hidden, hidden);
      weights.addAdapters(at + "mlp.gate_proj", config.intermediate(), hidden);
      weights.addAdapters(at + "mlp.up_proj", config.intermediate(), hidden);
      weights.addAdapters(at + "mlp.down_proj", hidden, config.intermediate());
    }
    weights.addAdapters("multi_vector_projector", MULTIVECTOR_DIM, hidden);
    return weights.tensors;
  }

  private void addDecoder() {
    int hidden = config.hidden();
    int kv = config.kvHeads() * SynthConfig.HEAD_SIZE;
    add("model.embed_tokens.weight", 0, 1, config.vocabSize(), hidden);
    for (int layer = 0; layer < config.layers(); layer++) {
      String at = "model.layers." + layer + ".";
      addNorm(at + "input_layernorm", hidden);
      addLinear(at + "self_attn.q_proj", hidden, hidden, 1.4);
      addBias(at + "self_attn.q_proj", hidden, 0.3);
      addLinear(at + "self_attn.k_proj", kv, hidden, 1.4);
      addBias(at + "self_attn.k_proj", kv, 0.3);
      addLinear(at + "self_attn.v_proj", kv, hidden, 1);
      addBias(at + "self_attn.v_proj", kv, 0.3);
      addLinear(at + "self_attn.o_proj", hidden, hidden, 1);
      addNorm(at + "post_attention_layernorm", hidden);
      addLinear(at + "mlp.gate_proj", config.intermediate(), hidden, 1);
      addLinear(at + "mlp.up_proj", config.intermediate(), hidden, 1);
      addLinear(at + "mlp.down_proj", hidden, config.intermediate(), 1.5);
    }
    addNorm("model.norm", hidden);
  }

  private void addVision() {
    int hidden = config.visionHidden();
    int ffn = config.visionIntermediate();
    int frames = VisionConfig.TEMPORAL_PATCH_SIZE;
    int patch = VisionConfig.CHANNELS * frames * PATCH_SIZE * PATCH_SIZE;
    add("visual.patch_embed.proj.weight", 0, 1 / Math.sqrt(patch), hidden, VisionConfig.CHANNELS, frames, PATCH_SIZE,
        PATCH_SIZE);
    for (int layer = 0; layer < config.visionDepth(); layer++) {
      String at = "visual.blocks." + layer + ".";
      addNorm(at + "norm1", hidden);
      addLinear(at + "attn.qkv", 3 * hidden, hidden, 1.3);
      addBias(at + "attn.qkv", 3 * hidden, 0.3);
      addLinear(at + "attn.proj", hidden, hidden, 1);
      addBias(at + "attn.proj", hidden, 0.1);
      addNorm(at + "norm2", hidden);
      addLinear(at + "mlp.gate_proj", ffn, hidden, 1);
      addBias(at + "mlp.gate_proj", ffn, 0.1);
      addLinear(at + "mlp.up_proj", ffn, hidden, 1);
      addBias(at + "mlp.up_proj", ffn, 0.1);
      addLinear(at + "mlp.down_proj", hidden, ffn, 1.5);
      addBias(at + "mlp.down_proj", hidden, 0.1);
    }
    int merged = hidden * MERGE_SIZE * MERGE_SIZE;
    addNorm("visual.merger.ln_q", hidden);
    addLinear("visual.merger.mlp.0", merged, merged, 1);
    addBias("visual.merger.mlp.0", merged, 0.1);
    addLinear("visual.merger.mlp.2", config.hidden(), merged, 1.7);
    addBias("visual.merger.mlp.2", config.hidden(), 0.1);
  }

  private void addLinear(String module, int out, int in, double gain) {
    add(module + ".weight", 0, gain / Math.sqrt(in), out, in);
  }

  private void addBias(String module, int out, double deviation) {
    add(module + ".bias", 0, deviation, out);
  }

  private void addNorm(String module, int out) {
    add(module + ".weight", 1, 0.2, out);
  }

  private void addAdapters(String module, int out, int in) {
    for (String task : TASKS) {
      add(module + ".lora_A." + task, 0, 1 / Math.sqrt(in), RANK, in);
      add(module + ".lora_B." + task, 0, 0.5 / Math.sqrt(RANK), out, RANK);
    }
  }

  private void add(String name, double mean, double deviation, long... extents) {
    tensors.add(new SynthTensor(name, Shape.of(extents), mean, deviation, salt));
  }
}
