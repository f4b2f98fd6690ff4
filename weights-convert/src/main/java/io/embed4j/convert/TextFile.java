package io.embed4j.convert;

import io.embed4j.ffm.TensorType;
import java.util.ArrayList;
import java.util.List;

/** text.gguf: the decoder and the tokenizer as llama.cpp's convert_hf_to_gguf.py writes architecture qwen2vl. */
final class TextFile {
  static final String NAME = "text.gguf";
  private static final String ARCHITECTURE = "qwen2vl";

  private TextFile() {}

  /** @param tasks the adapters beside it; empty for merged weights */
  static GgufContents contents(Checkpoint checkpoint, TensorSelection tensors, WeightType weights, List<String> tasks) {
    Storage storage = new Storage(weights);
    List<OutputTensor> out = tensors(checkpoint.config().text(), tensors, storage);
    storage.report(NAME);
    return new GgufContents(NAME, metadata(checkpoint, weights, tasks), out);
  }

  private static List<OutputTensor> tensors(TextConfig text, TensorSelection in, Storage storage) {
    List<OutputTensor> out = new ArrayList<>();
    long hidden = text.hiddenSize();
    long ffn = text.intermediateSize();
    long kv = (long) text.kvHeads() * text.headDim();
    out.add(OutputTensor.of("token_embd.weight", storage.embedding("token_embd.weight", hidden),
        in.take("model.embed_tokens.weight", text.vocabSize(), hidden)));
    for (int layer = 0; layer < text.layers(); layer++) {
      String from = "model.layers." + layer + ".";
      String to = "blk." + layer + ".";
      out.add(vector(to + "attn_norm.weight", in.take(from + "input_layernorm.weight", hidden)));
      out.add(matrix(to + "attn_q.weight", storage, in.take(from + "self_attn.q_proj.weight", hidden, hidden)));
      out.add(vector(to + "attn_q.bias", in.take(from + "self_attn.q_proj.bias", hidden)));
      out.add(matrix(to + "attn_k.weight", storage, in.take(from + "self_attn.k_proj.weight", kv, hidden)));
      out.add(vector(to + "attn_k.bias", in.take(from + "self_attn.k_proj.bias", kv)));
      String value = to + "attn_v.weight";
      out.add(OutputTensor.of(value, storage.sensitive(value, layer, text.layers(), hidden),
          in.take(from + "self_attn.v_proj.weight", kv, hidden)));
      out.add(vector(to + "attn_v.bias", in.take(from + "self_attn.v_proj.bias", kv)));
      out.add(matrix(to + "attn_output.weight", storage, in.take(from + "self_attn.o_proj.weight", hidden, hidden)));
      out.add(vector(to + "ffn_norm.weight", in.take(from + "post_attention_layernorm.weight", hidden)));
      out.add(matrix(to + "ffn_gate.weight", storage, in.take(from + "mlp.gate_proj.weight", ffn, hidden)));
      out.add(matrix(to + "ffn_up.weight", storage, in.take(from + "mlp.up_proj.weight", ffn, hidden)));
      String down = to + "ffn_down.weight";
      out.add(OutputTensor.of(down, storage.sensitive(down, layer, text.layers(), ffn),
          in.take(from + "mlp.down_proj.weight", hidden, ffn)));
    }
    out.add(vector("output_norm.weight", in.take("model.norm.weight", hidden)));
    return out;
  }

  /** Norms and biases: float32 whatever the weights are. */
  static OutputTensor vector(String name, CheckpointTensor tensor) {
    return OutputTensor.of(name, TensorType.F32, tensor);
  }

  static OutputTensor matrix(String name, Storage storage, CheckpointTensor tensor) {
    return OutputTensor.of(name, storage.matrix(name, tensor.shape().extents().getLast()), tensor);
  }

  private static GgufMetadata metadata(Checkpoint checkpoint, WeightType weights, List<String> tasks) {
    ModelConfig config = checkpoint.config();
    TextConfig text = config.text();
    GgufMetadata metadata = general(ARCHITECTURE, "model", checkpoint.name(), weights)
        .u32(ARCHITECTURE + ".block_count", text.layers())
        .u32(ARCHITECTURE + ".context_length", text.maxPositions())
        .u32(ARCHITECTURE + ".embedding_length", text.hiddenSize())
        .u32(ARCHITECTURE + ".feed_forward_length", text.intermediateSize())
        .u32(ARCHITECTURE + ".attention.head_count", text.heads())
        .u32(ARCHITECTURE + ".attention.head_count_kv", text.kvHeads())
        .i32s(ARCHITECTURE + ".rope.dimension_sections", sections(text))
        .f32(ARCHITECTURE + ".rope.freq_base", text.ropeTheta())
        .f32(ARCHITECTURE + ".attention.layer_norm_rms_epsilon", text.rmsNormEps());
    if (!config.matryoshkaDims().isEmpty()) metadata.i32s("embed4j.matryoshka_dims", config.matryoshkaDims());
    if (!tasks.isEmpty()) metadata.strings("embed4j.task_names", tasks);
    addTokenizer(metadata, checkpoint.vocabulary());
    return metadata;
  }

  /** llama.cpp keeps four: temporal, height, width and one it does not use here. */
  private static List<Integer> sections(TextConfig text) {
    List<Integer> sections = new ArrayList<>(text.ropeSections());
    sections.add(0);
    return sections;
  }

  private static void addTokenizer(GgufMetadata metadata, Vocabulary vocabulary) {
    metadata.string("tokenizer.ggml.model", "gpt2")
        .string("tokenizer.ggml.pre", "qwen2")
        .strings("tokenizer.ggml.tokens", vocabulary.tokens())
        .i32s("tokenizer.ggml.token_type", vocabulary.types())
        .strings("tokenizer.ggml.merges", vocabulary.merges());
    vocabulary.special().forEach((role, id) -> metadata.u32("tokenizer.ggml." + keyOf(role) + "_token_id", id));
    metadata.bool("tokenizer.ggml.add_bos_token", vocabulary.addBosToken());
    vocabulary.chatTemplate().ifPresent(template -> metadata.string("tokenizer.chat_template", template));
  }

  private static String keyOf(String role) {
    return switch (role) {
      case "unk" -> "unknown";
      case "sep" -> "seperator"; // as llama.cpp spells it
      case "pad" -> "padding";
      default -> role;
    };
  }

  /** What every file begins with. */
  static GgufMetadata general(String architecture, String type, String name, WeightType weights) {
    return new GgufMetadata()
        .string("general.architecture", architecture)
        .string("general.type", type)
        .string("general.name", name)
        .u32("general.file_type", weights.fileType())
        .u32("general.quantization_version", 2); // GGML_QNT_VERSION
  }
}
