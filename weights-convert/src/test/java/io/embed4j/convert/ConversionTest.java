package io.embed4j.convert;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.ffm.GgufFile;
import io.embed4j.ffm.TensorType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is written, and that it does not depend on how the checkpoint spells it. */
class ConversionTest {
  @TempDir Path temp;

  @Test
  void float32HoldsTheCheckpointsValues() throws IOException {
    Path checkpoint = MiniModel.write(temp.resolve("checkpoint"));
    Path out = convert(checkpoint, WeightType.F32);
    Map<String, Tensors.Tensor> model = Tensors.read(checkpoint.resolve("model.safetensors"));
    Map<String, Tensors.Tensor> lora = Tensors.read(checkpoint.resolve("adapters/adapter_model.safetensors"));

    Map<String, float[]> text = floats(out.resolve("text.gguf"));
    assertArrayEquals(model.get("model.embed_tokens.weight").values(), text.get("token_embd.weight"));
    assertArrayEquals(model.get("model.layers.2.self_attn.o_proj.weight").values(),
        text.get("blk.2.attn_output.weight"));
    assertArrayEquals(model.get("model.layers.1.self_attn.k_proj.bias").values(), text.get("blk.1.attn_k.bias"));
    assertArrayEquals(model.get("model.layers.2.post_attention_layernorm.weight").values(),
        text.get("blk.2.ffn_norm.weight"));
    assertArrayEquals(model.get("model.layers.1.mlp.down_proj.weight").values(), text.get("blk.1.ffn_down.weight"));
    assertArrayEquals(model.get("model.norm.weight").values(), text.get("output_norm.weight"));
    assertEquals(12 * MiniModel.CONFIG.layers() + 2, text.size());

    Map<String, float[]> vision = floats(out.resolve("vision.gguf"));
    float[] qkv = model.get("visual.blocks.1.attn.qkv.weight").values();
    float[] qkvBias = model.get("visual.blocks.1.attn.qkv.bias").values();
    for (int i = 0; i < 3; i++) {
      String name = "v.blk.1.attn_" + "qkv".charAt(i);
      assertArrayEquals(Arrays.copyOfRange(qkv, i * 64 * 64, (i + 1) * 64 * 64), vision.get(name + ".weight"));
      assertArrayEquals(Arrays.copyOfRange(qkvBias, i * 64, (i + 1) * 64), vision.get(name + ".bias"));
    }
    assertArrayEquals(frame(model.get("visual.patch_embed.proj.weight"), 0), vision.get("v.patch_embd.weight"));
    assertArrayEquals(frame(model.get("visual.patch_embed.proj.weight"), 1), vision.get("v.patch_embd.weight.1"));
    assertArrayEquals(model.get("visual.merger.ln_q.weight").values(), vision.get("v.post_ln.weight"));
    assertArrayEquals(model.get("visual.merger.mlp.2.weight").values(), vision.get("mm.2.weight"));
    assertEquals(16 * MiniModel.CONFIG.visionDepth() + 7, vision.size());

    Map<String, float[]> code = floats(out.resolve("adapter-code.gguf"));
    assertArrayEquals(lora.get("base_model.model.model.layers.0.mlp.gate_proj.lora_A.code.weight").values(),
        code.get("blk.0.ffn_gate.weight.lora_a"));
    assertArrayEquals(lora.get("base_model.model.model.layers.2.self_attn.v_proj.lora_B.code.weight").values(),
        code.get("blk.2.attn_v.weight.lora_b"));
    assertEquals(14 * MiniModel.CONFIG.layers(), code.size());

    Map<String, float[]> head = floats(out.resolve("multivector.gguf"));
    assertArrayEquals(model.get("multi_vector_projector.weight").values(), head.get("multivector.weight"));
    assertArrayEquals(lora.get("base_model.model.multi_vector_projector.lora_B.text-matching.weight").values(),
        head.get("multivector.text-matching.lora_b"));
    assertEquals(8, head.size());
  }

  @ParameterizedTest
  @EnumSource
  void everyTypeIsStoredAsItSays(WeightType type) {
    Path out = convert(MiniModel.write(temp.resolve("checkpoint")), type);
    TensorType matrix = type == WeightType.Q4_K_M ? TensorType.Q4_K : TensorType.valueOf(type.name());
    Map<String, TensorType> text = types(out.resolve("text.gguf"));
    assertEquals(matrix, text.get("blk.1.ffn_gate.weight"));
    assertEquals(TensorType.F32, text.get("blk.1.attn_q.bias"));
    assertEquals(TensorType.F32, text.get("blk.1.attn_norm.weight"));
    assertEquals(type == WeightType.Q4_K_M ? TensorType.Q6_K : matrix, text.get("token_embd.weight"));

    boolean quantized = type.ordinal() >= WeightType.Q8_0.ordinal();
    Map<String, TensorType> vision = types(out.resolve("vision.gguf"));
    assertEquals(quantized ? TensorType.Q8_0 : matrix, vision.get("v.blk.0.attn_q.weight"));
    assertEquals(quantized ? TensorType.BF16 : matrix, vision.get("v.blk.0.ffn_down.weight"), "rows of 36");
    assertEquals(type == WeightType.F16 ? TensorType.F16 : TensorType.F32, vision.get("v.patch_embd.weight"));
    assertEquals(TensorType.F32, vision.get("mm.0.bias"));

    TensorType small = quantized ? TensorType.BF16 : matrix;
    assertEquals(Set.of(small), Set.copyOf(types(out.resolve("adapter-retrieval.gguf")).values()));
    assertEquals(small, types(out.resolve("multivector.gguf")).get("multivector.code.lora_a"));
    assertEquals(TensorType.F32, types(out.resolve("multivector.gguf")).get("multivector.bias"));
  }

  @ParameterizedTest
  @EnumSource
  void packedFilesHoldTheSameMatricesInPanels(WeightType type) {
    Path checkpoint = MiniModel.write(temp.resolve("checkpoint"));
    Path out = convert(checkpoint, type);
    Path packed = temp.resolve("packed");
    Conversion.of(checkpoint).to(packed).type(type).packed(true).run();
    for (String name : List.of("text.gguf", "vision.gguf", "multivector.gguf", "adapter-code.gguf")) {
      try (GgufFile rows = GgufFile.open(out.resolve(name)); GgufFile panels = GgufFile.open(packed.resolve(name));
          Arena arena = Arena.ofConfined()) {
        assertEquals(64, panels.info().alignment());
        assertEquals(rows.metadata().keySet().stream().toList(),
            panels.metadata().keySet().stream().filter(key -> !key.equals("general.alignment")).toList());
        for (int i = 0; i < rows.tensors().size(); i++) {
          GgufFile.Tensor row = rows.tensors().get(i);
          GgufFile.Tensor panel = panels.tensors().get(i);
          assertEquals(List.of(row.name(), row.typeId(), row.shape()), List.of(panel.name(), panel.typeId(), panel.shape()));
          assertFalse(row.packed());
          assertEquals(row.shape().size() == 2 && !row.name().equals("token_embd.weight"), panel.packed(), row.name());
          MemorySegment expected = panel.packed() ? inPanels(row, arena) : row.data();
          assertEquals(-1, expected.mismatch(panel.data()), row.name());
        }
      }
    }
  }

  private static MemorySegment inPanels(GgufFile.Tensor tensor, Arena arena) {
    TensorType type = TensorType.of(tensor.typeId()).orElseThrow();
    long cols = tensor.shape().getFirst();
    long rows = tensor.shape().getLast();
    MemorySegment panels = arena.allocate(type.packedBytes(rows, cols), 64);
    type.pack(tensor.data(), rows, cols, panels);
    return panels;
  }

  /** llama.cpp's use_more_bits for 36 layers. */
  @Test
  void theMixGivesSomeLayersMoreBits() {
    Storage storage = new Storage(WeightType.Q4_K_M);
    List<Integer> more = new ArrayList<>();
    for (int layer = 0; layer < 36; layer++) {
      if (storage.sensitive("x", layer, 36, 11008) == TensorType.Q6_K) more.add(layer);
    }
    assertEquals(List.of(0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 31, 32, 33, 34, 35), more);
    assertEquals(TensorType.Q8_0, storage.sensitive("x", 0, 36, 2112), "no multiple of 256");
    assertEquals(TensorType.BF16, storage.matrix("x", 3420), "no multiple of 32");
    assertEquals(TensorType.Q6_K, storage.embedding("token_embd.weight", 2048));
  }

  @Test
  void metadataIsWhatLlamaCppReads() {
    Path out = convert(MiniModel.write(temp.resolve("checkpoint")), WeightType.Q6_K);
    try (GgufFile text = GgufFile.open(out.resolve("text.gguf"))) {
      assertEquals("qwen2vl", text.metadata().get("general.architecture").string());
      assertEquals(18, text.metadata().get("general.file_type").integer());
      assertEquals(3, text.metadata().get("qwen2vl.block_count").integer());
      assertEquals(1e6, text.metadata().get("qwen2vl.rope.freq_base").floating());
      assertEquals(List.of(128, 256), ints(text, "embed4j.matryoshka_dims"));
      assertEquals(List.of(16, 24, 24, 0), ints(text, "qwen2vl.rope.dimension_sections"));
      assertEquals(List.of("retrieval", "text-matching", "code"),
          List.of(text.metadata().get("embed4j.task_names").strings()));
      List<String> tokens = List.of(text.metadata().get("tokenizer.ggml.tokens").strings());
      List<Integer> kinds = ints(text, "tokenizer.ggml.token_type");
      assertEquals(MiniModel.VOCAB, tokens.size());
      assertEquals("Ġthe", tokens.get(258));
      assertEquals("[PAD259]", tokens.get(259));
      assertEquals("<|image_pad|>", tokens.get(269));
      assertEquals(List.of(1, 5, 3, 4), List.of(kinds.get(258), kinds.get(259), kinds.get(269), kinds.get(271)));
      assertEquals(List.of("t h", "th e", "Ġ the"), List.of(text.metadata().get("tokenizer.ggml.merges").strings()));
      assertEquals(266, text.metadata().get("tokenizer.ggml.eos_token_id").integer());
      assertEquals(264, text.metadata().get("tokenizer.ggml.padding_token_id").integer());
    }
    try (GgufFile vision = GgufFile.open(out.resolve("vision.gguf"))) {
      assertEquals("qwen2.5vl_merger", vision.metadata().get("clip.projector_type").string());
      assertEquals(2, vision.metadata().get("clip.vision.n_wa_pattern").integer());
      assertEquals(List.of(1, 3), ints(vision, "clip.vision.wa_layer_indexes"));
      assertEquals(602112, vision.metadata().get("clip.vision.image_max_pixels").integer());
    }
    try (GgufFile adapter = GgufFile.open(out.resolve("adapter-code.gguf"))) {
      assertEquals("adapter", adapter.metadata().get("general.type").string());
      assertEquals("lora", adapter.metadata().get("adapter.type").string());
      assertEquals(32, adapter.metadata().get("adapter.lora.alpha").floating());
      assertEquals("code", adapter.metadata().get("embed4j.task").string());
    }
  }

  @Test
  void fullAttentionWithoutPeriodHasNoPattern() {
    assertEquals(8, vision(32, 7, 15, 23, 31).fullAttentionPeriod());
    assertEquals(0, vision(32, 7, 15, 23).fullAttentionPeriod(), "the last layer would be full for llama.cpp");
    assertEquals(0, vision(4, 0, 3).fullAttentionPeriod());
    assertEquals(0, vision(4).fullAttentionPeriod());
  }

  @Test
  void spellingDoesNotMatter() throws IOException {
    Path flat = MiniModel.write(temp.resolve("flat"));
    Map<String, String> expected = hashes(convert(flat, WeightType.Q4_K_M));
    assertEquals(expected, hashes(convert(MiniModel.write(temp.resolve("nested"), SynthConfig.Style.NESTED),
        WeightType.Q4_K_M)), "nested");
    Path direct = temp.resolve("direct");
    Conversion.of(MiniModel.checkpoint(SynthConfig.Style.NESTED)).to(direct).type(WeightType.Q4_K_M).run();
    assertEquals(expected, hashes(direct), "without a checkpoint");
    assertEquals(expected, hashes(convert(sharded(copy(flat, "sharded")), WeightType.Q4_K_M)), "sharded");
    assertEquals(expected, hashes(convert(published(copy(flat, "published")), WeightType.Q4_K_M)), "published");
    assertEquals(expected, hashes(convert(vocabAndMerges(copy(flat, "vocab")), WeightType.Q4_K_M)), "vocab.json");
    assertEquals(expected, hashes(convert(renamedAdapters(copy(flat, "named"), "default."), WeightType.Q4_K_M)),
        "adapter name");
    Path f32 = copy(flat, "f32");
    Tensors.edit(f32.resolve("model.safetensors"), tensors -> tensors.replaceAll((name, tensor) -> tensor.as("F32")));
    assertEquals(expected, hashes(convert(f32, WeightType.Q4_K_M)), "float32");
    Path newer = copy(flat, "newer");
    MiniModel.edit(newer.resolve("config.json"), config -> {
      ObjectNode rope = ((ObjectNode) config.remove("rope_scaling")).put("type", "mrope");
      config.set("rope_parameters", rope.set("rope_theta", config.remove("rope_theta")));
      config.putArray("layer_types").add("full_attention");
    });
    assertEquals(expected, hashes(convert(newer, WeightType.Q4_K_M)), "rope_parameters");
    Path threads = temp.resolve("threads");
    Conversion.of(flat).to(threads).type(WeightType.Q4_K_M).threads(7).run();
    assertEquals(expected, hashes(threads), "threads");
  }

  @Test
  void tiedOutputMatrixIsLeftOut() {
    Path plain = MiniModel.write(temp.resolve("plain"));
    Path tied = copy(plain, "tied");
    Tensors.edit(tied.resolve("model.safetensors"),
        tensors -> tensors.put("lm_head.weight", tensors.get("model.embed_tokens.weight")));
    assertEquals(hashes(convert(plain, WeightType.BF16)), hashes(convert(tied, WeightType.BF16)));
  }

  @Test
  void mergedCheckpointHasNoAdapterFiles() throws IOException {
    Path merged = merged(MiniModel.write(temp.resolve("jina-embeddings-v4-vllm-code")));
    Tensors.edit(merged.resolve("model.safetensors"),
        tensors -> tensors.keySet().removeIf(name -> name.startsWith("multi")));
    Path out = convert(merged, WeightType.BF16);
    assertEquals(Set.of("text.gguf", "vision.gguf"), hashes(out).keySet());
    try (GgufFile text = GgufFile.open(out.resolve("text.gguf"))) {
      assertEquals("jina-embeddings-v4-vllm-code", text.metadata().get("general.name").string());
      assertFalse(text.metadata().containsKey("embed4j.task_names"));
    }
  }

  @Test
  void mergedCheckpointMayKeepItsHead() throws IOException {
    Path out = convert(merged(MiniModel.write(temp.resolve("merged"))), WeightType.Q8_0);
    assertEquals(Set.of("text.gguf", "vision.gguf", "multivector.gguf"), hashes(out).keySet());
    assertEquals(Set.of("multivector.weight", "multivector.bias"), types(out.resolve("multivector.gguf")).keySet());
  }

  @Test
  void progressGrowsToItsTotal() {
    List<Long> seen = new ArrayList<>();
    Path checkpoint = MiniModel.write(temp.resolve("checkpoint"));
    List<Path> files = Conversion.of(checkpoint).to(temp.resolve("out")).progress((done, total) -> {
      assertTrue(done <= total, () -> done + " of " + total);
      seen.add(done);
    }).run();
    assertEquals(seen.stream().sorted().toList(), seen);
    assertEquals(files.stream().mapToLong(file -> file.toFile().length()).sum(), seen.getLast());
    assertEquals("text.gguf", files.getLast().getFileName().toString());
  }

  static Path merged(Path checkpoint) throws IOException {
    MiniModel.edit(checkpoint.resolve("config.json"), config -> {
      config.putArray("architectures").add("Qwen2_5_VLForConditionalGeneration");
      config.remove(List.of("task_names", "matryoshka_dims", "multi_vector_projector_dim"));
    });
    Files.delete(checkpoint.resolve("adapters/adapter_model.safetensors"));
    Files.delete(checkpoint.resolve("adapters/adapter_config.json"));
    Files.delete(checkpoint.resolve("adapters"));
    return checkpoint;
  }

  /** Three shards and an index. */
  static Path sharded(Path checkpoint) throws IOException {
    Map<String, Tensors.Tensor> tensors = Tensors.read(checkpoint.resolve("model.safetensors"));
    Files.delete(checkpoint.resolve("model.safetensors"));
    ObjectNode index = MiniModel.JSON.createObjectNode();
    ObjectNode map = index.putObject("weight_map");
    for (int shard = 0; shard < 3; shard++) {
      Map<String, Tensors.Tensor> part = new LinkedHashMap<>();
      String file = "model-0000" + (shard + 1) + "-of-00003.safetensors";
      for (String name : tensors.keySet()) {
        if (Math.floorMod(name.hashCode(), 3) != shard) continue;
        part.put(name, tensors.get(name));
        map.put(name, file);
      }
      Tensors.write(checkpoint.resolve(file), part);
    }
    Files.writeString(checkpoint.resolve("model.safetensors.index.json"), index.toString());
    return checkpoint;
  }

  /** As published: text keys in both places, the model's names flat and the adapters' nested. */
  private static Path published(Path checkpoint) {
    MiniModel.edit(checkpoint.resolve("config.json"), config -> {
      ObjectNode text = config.deepCopy();
      text.remove(List.of("vision_config", "architectures", "model_type"));
      config.set("text_config", text.put("rope_theta", 1000000).put("model_type", "qwen2_5_vl_text"));
      config.remove("vocab_size");
    });
    return renamedAdapters(checkpoint, "");
  }

  private static Path renamedAdapters(Path checkpoint, String adapterName) {
    Tensors.edit(checkpoint.resolve("adapters/adapter_model.safetensors"), tensors -> {
      Map<String, Tensors.Tensor> copy = new TreeMap<>(tensors);
      tensors.clear();
      copy.forEach((name, tensor) -> tensors.put(name
          .replace("model.model.layers", "model.model.language_model.layers")
          .replace("lora_A.", "lora_A." + adapterName)
          .replaceAll("(lora_B\\.[a-z-]+)", adapterName.isEmpty() ? "$1" : "$1.default"), tensor));
    });
    return checkpoint;
  }

  /** The tokenizer in its older form. */
  private static Path vocabAndMerges(Path checkpoint) throws IOException {
    JsonNode tokenizer = MiniModel.object(Files.readString(checkpoint.resolve("tokenizer.json")));
    Files.delete(checkpoint.resolve("tokenizer.json"));
    Files.writeString(checkpoint.resolve("vocab.json"), tokenizer.path("model").path("vocab").toString());
    Files.writeString(checkpoint.resolve("merges.txt"), "#version: 0.2\nt h\nth e\nĠ the\n");
    MiniModel.edit(checkpoint.resolve("tokenizer_config.json"), settings -> {
      ObjectNode decoder = settings.putObject("added_tokens_decoder");
      tokenizer.path("added_tokens").forEach(token -> decoder.putObject(token.path("id").asText())
          .put("content", token.path("content").textValue()).put("special", token.path("special").booleanValue()));
    });
    return checkpoint;
  }

  private Path copy(Path checkpoint, String name) {
    return MiniModel.copy(checkpoint, temp.resolve(name));
  }

  private static Path convert(Path checkpoint, WeightType type) {
    Path out = checkpoint.resolveSibling(checkpoint.getFileName() + "-" + type);
    Conversion.of(checkpoint).to(out).type(type).run();
    return out;
  }

  private static VisionConfig vision(int depth, Integer... full) {
    return new VisionConfig(depth, 64, 2, 36, 14, 2, 112, List.of(full));
  }

  private static Map<String, String> hashes(Path directory) {
    Map<String, String> hashes = new TreeMap<>();
    try (var files = Files.list(directory)) {
      for (Path file : files.toList()) {
        hashes.put(file.getFileName().toString(), java.util.HexFormat.of().formatHex(
            java.security.MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file))));
      }
    } catch (IOException | java.security.NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
    return hashes;
  }

  private static List<Integer> ints(GgufFile file, String key) {
    return Arrays.stream(file.metadata().get(key).integers()).boxed().toList();
  }

  private static Map<String, TensorType> types(Path file) {
    try (GgufFile gguf = GgufFile.open(file)) {
      return gguf.tensors().stream()
          .collect(Collectors.toMap(GgufFile.Tensor::name, tensor -> TensorType.of(tensor.typeId()).orElseThrow()));
    }
  }

  private static Map<String, float[]> floats(Path file) {
    try (GgufFile gguf = GgufFile.open(file)) {
      return gguf.tensors().stream().collect(Collectors.toMap(GgufFile.Tensor::name,
          tensor -> tensor.data().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED)));
    }
  }

  /** values[o][c][frame][y][x] of a patch embedding. */
  private static float[] frame(Tensors.Tensor patches, int frame) {
    float[] all = patches.values();
    float[] out = new float[all.length / 2];
    int plane = 14 * 14;
    for (int i = 0; i < out.length / plane; i++) System.arraycopy(all, (2 * i + frame) * plane, out, i * plane, plane);
    return out;
  }
}
