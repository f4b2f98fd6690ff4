package io.embed4j.convert;

import io.embed4j.ffm.TensorType;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * vision.gguf: the vision tower and merger as llama.cpp's convert_hf_to_gguf.py --mmproj writes projector
 * qwen2.5vl_merger (tools/mtmd/clip.cpp reads it).
 */
final class VisionFile {
  static final String NAME = "vision.gguf";
  private static final Logger LOG = LoggerFactory.getLogger(VisionFile.class);
  /** The library's constant for this tower; config.json does not state it. */
  private static final double NORM_EPS = 1e-6;
  /** Written because llama.cpp requires the key; images of any size are taken. */
  private static final int IMAGE_SIZE = 560;

  private VisionFile() {}

  static GgufContents contents(Checkpoint checkpoint, TensorSelection tensors, WeightType weights) {
    WeightType stored = weights.ofVision();
    if (stored != weights) LOG.info("{}: stored as {}, since {} harms it more than it saves", NAME, stored, weights);
    Storage storage = new Storage(stored);
    List<OutputTensor> out = tensors(checkpoint.config(), tensors, storage, stored);
    storage.report(NAME);
    return new GgufContents(NAME, metadata(checkpoint, stored), out);
  }

  private static List<OutputTensor> tensors(ModelConfig config, TensorSelection in, Storage storage,
      WeightType stored) {
    List<OutputTensor> out = new ArrayList<>();
    VisionConfig vision = config.vision();
    long hidden = vision.hiddenSize();
    long ffn = vision.intermediateSize();
    long patch = vision.patchSize();
    CheckpointTensor patches = in.take("visual.patch_embed.proj.weight", hidden, VisionConfig.CHANNELS,
        VisionConfig.TEMPORAL_PATCH_SIZE, patch, patch);
    // llama.cpp convolves with these two, which it can in f16 and f32 only.
    TensorType convolution = stored == WeightType.F16 ? TensorType.F16 : TensorType.F32;
    out.add(OutputTensor.frame("v.patch_embd.weight", convolution, patches, 0));
    out.add(OutputTensor.frame("v.patch_embd.weight.1", convolution, patches, 1));
    for (int layer = 0; layer < vision.depth(); layer++) {
      String from = "visual.blocks." + layer + ".";
      String to = "v.blk." + layer + ".";
      out.add(TextFile.vector(to + "ln1.weight", in.take(from + "norm1.weight", hidden)));
      CheckpointTensor qkv = in.take(from + "attn.qkv.weight", 3 * hidden, hidden);
      CheckpointTensor qkvBias = in.take(from + "attn.qkv.bias", 3 * hidden);
      List<String> parts = List.of("attn_q", "attn_k", "attn_v");
      for (int i = 0; i < parts.size(); i++) {
        String name = to + parts.get(i);
        out.add(OutputTensor.third(name + ".weight", storage.matrix(name + ".weight", hidden), qkv, i));
        out.add(OutputTensor.third(name + ".bias", TensorType.F32, qkvBias, i));
      }
      addLinear(out, in, storage, from + "attn.proj", to + "attn_out", hidden, hidden);
      out.add(TextFile.vector(to + "ln2.weight", in.take(from + "norm2.weight", hidden)));
      addLinear(out, in, storage, from + "mlp.gate_proj", to + "ffn_gate", ffn, hidden);
      addLinear(out, in, storage, from + "mlp.up_proj", to + "ffn_up", ffn, hidden);
      addLinear(out, in, storage, from + "mlp.down_proj", to + "ffn_down", hidden, ffn);
    }
    long merged = vision.mergedSize();
    out.add(TextFile.vector("v.post_ln.weight", in.take("visual.merger.ln_q.weight", hidden)));
    addLinear(out, in, storage, "visual.merger.mlp.0", "mm.0", merged, merged);
    addLinear(out, in, storage, "visual.merger.mlp.2", "mm.2", config.text().hiddenSize(), merged);
    return out;
  }

  private static void addLinear(List<OutputTensor> out, TensorSelection in, Storage storage, String from, String to,
      long rows, long cols) {
    out.add(TextFile.matrix(to + ".weight", storage, in.take(from + ".weight", rows, cols)));
    out.add(TextFile.vector(to + ".bias", in.take(from + ".bias", rows)));
  }

  private static GgufMetadata metadata(Checkpoint checkpoint, WeightType stored) {
    VisionConfig vision = checkpoint.config().vision();
    Preprocessing image = checkpoint.preprocessing();
    ModelConfig.TokenIds tokens = checkpoint.config().tokens();
    GgufMetadata metadata = TextFile.general("clip", "mmproj", checkpoint.name(), stored)
        .bool("clip.has_vision_encoder", true)
        .string("clip.projector_type", "qwen2.5vl_merger")
        .bool("clip.use_silu", true)
        .u32("clip.vision.projection_dim", checkpoint.config().text().hiddenSize())
        .u32("clip.vision.image_size", IMAGE_SIZE)
        .u32("clip.vision.patch_size", vision.patchSize())
        .u32("clip.vision.embedding_length", vision.hiddenSize())
        .u32("clip.vision.feed_forward_length", vision.intermediateSize())
        .u32("clip.vision.block_count", vision.depth())
        .u32("clip.vision.attention.head_count", vision.heads())
        .f32("clip.vision.attention.layer_norm_epsilon", NORM_EPS)
        .f32s("clip.vision.image_mean", image.mean())
        .f32s("clip.vision.image_std", image.std())
        .u32("clip.vision.image_min_pixels", image.minPixels())
        .u32("clip.vision.image_max_pixels", image.maxPixels())
        .u32("clip.vision.spatial_merge_size", vision.spatialMergeSize())
        .u32("clip.vision.window_size", vision.windowSize())
        .i32s("clip.vision.wa_layer_indexes", vision.fullAttention())
        .u32("embed4j.vision.image_token_id", tokens.image())
        .u32("embed4j.vision.start_token_id", tokens.visionStart())
        .u32("embed4j.vision.end_token_id", tokens.visionEnd());
    if (vision.fullAttentionPeriod() > 0) {
      metadata.u32("clip.vision.n_wa_pattern", vision.fullAttentionPeriod());
    } else {
      LOG.warn("{}: full attention in layers {} follows no period, so llama.cpp cannot read the file", NAME,
          vision.fullAttention());
    }
    return metadata;
  }
}
