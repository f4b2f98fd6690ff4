package io.embed4j.convert;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** adapter-&lt;task&gt;.gguf: one task's LoRA in llama.cpp's adapter format (convert_lora_to_gguf.py). */
final class AdapterFile {
  /** The adapted modules of a layer and the tensors they become, in the order they are written. */
  private static final List<Map.Entry<String, String>> MODULES = List.of(
      Map.entry("self_attn.q_proj", "attn_q"),
      Map.entry("self_attn.k_proj", "attn_k"),
      Map.entry("self_attn.v_proj", "attn_v"),
      Map.entry("self_attn.o_proj", "attn_output"),
      Map.entry("mlp.gate_proj", "ffn_gate"),
      Map.entry("mlp.up_proj", "ffn_up"),
      Map.entry("mlp.down_proj", "ffn_down"));

  private AdapterFile() {}

  static String name(String task) {
    return "adapter-" + task + ".gguf";
  }

  static GgufContents contents(Checkpoint checkpoint, AdapterConfig adapter, TensorSelection tensors,
      WeightType weights, String task) {
    WeightType stored = weights.ofAdapters();
    GgufMetadata metadata = TextFile.general("qwen2vl", "adapter", checkpoint.name() + "-" + task, stored)
        .string("adapter.type", "lora")
        .f32("adapter.lora.alpha", adapter.alpha())
        .string("embed4j.task", task);
    List<OutputTensor> out = new ArrayList<>();
    for (int layer = 0; layer < checkpoint.config().text().layers(); layer++) {
      for (Map.Entry<String, String> module : MODULES) {
        addPair(out, tensors, stored, "model.layers." + layer + "." + module.getKey(), task,
            "blk." + layer + "." + module.getValue() + ".weight", adapter.rank(),
            rows(checkpoint.config().text(), module.getValue()), cols(checkpoint.config().text(), module.getValue()));
      }
    }
    return new GgufContents(name(task), metadata, out);
  }

  /** A [rank, cols] and B [rows, rank] of one module. */
  static void addPair(List<OutputTensor> out, TensorSelection tensors, WeightType stored, String module, String task,
      String name, long rank, long rows, long cols) {
    out.add(OutputTensor.of(name + ".lora_a", stored.matrix(), tensors.take(module + ".lora_A." + task, rank, cols)));
    out.add(OutputTensor.of(name + ".lora_b", stored.matrix(), tensors.take(module + ".lora_B." + task, rows, rank)));
  }

  private static long rows(TextConfig text, String tensor) {
    return switch (tensor) {
      case "attn_k", "attn_v" -> (long) text.kvHeads() * text.headDim();
      case "ffn_gate", "ffn_up" -> text.intermediateSize();
      default -> text.hiddenSize();
    };
  }

  private static long cols(TextConfig text, String tensor) {
    return tensor.equals("ffn_down") ? text.intermediateSize() : text.hiddenSize();
  }
}
