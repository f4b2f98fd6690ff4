package io.embed4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.EmbeddingException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Everything that ends a conversion does so before anything is written, and says where and why. */
class RefusalTest {
  private static final String MODEL = "model.safetensors";
  private static final String ADAPTERS = "adapters/adapter_model.safetensors";

  @TempDir static Path shared;
  @TempDir Path temp;
  private static Path whole;
  private Path checkpoint;

  @BeforeAll
  static void write() {
    whole = MiniModel.write(shared.resolve("checkpoint"));
  }

  @BeforeEach
  void copy() {
    checkpoint = MiniModel.copy(whole, temp.resolve("checkpoint"));
  }

  /** Each line: file, JSON merged over it (null removes a key), what the message must hold. */
  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
      "config.json | {\"hidden_act\":\"gelu\"} | hidden_act is \"gelu\"; only silu",
      "config.json | {\"use_sliding_window\":true} | use_sliding_window is true",
      "config.json | {\"tie_word_embeddings\":false} | tie_word_embeddings is false",
      "config.json | {\"layer_types\":[\"sliding_attention\"]} | only full_attention",
      "config.json | {\"quantization_config\":{\"bits\":4}} | quantization_config is {\"bits\":4}",
      "config.json | {\"model_type\":\"qwen2_vl\"} | model_type is \"qwen2_vl\"; only qwen2_5_vl",
      "config.json | {\"single_vector_pool_strategy\":\"last\"} | single_vector_pool_strategy is \"last\"; only mean",
      "config.json | {\"rope_scaling\":{\"rope_type\":\"yarn\"}} | rope_type is \"yarn\"; only default",
      "config.json | {\"rope_scaling\":{\"type\":\"linear\",\"rope_type\":null}} | type is \"linear\"",
      "config.json | {\"rope_scaling\":{\"mrope_section\":[16,24]}} | sum to half of the head size 128",
      "config.json | {\"rope_scaling\":{\"mrope_section\":[16,24,25]}} | sum to half of the head size 128",
      "config.json | {\"rope_scaling\":null} | mrope_section is missing",
      "config.json | {\"rms_norm_eps\":null} | rms_norm_eps is missing",
      "config.json | {\"rms_norm_eps\":0} | expected numbers above 0",
      "config.json | {\"rope_theta\":\"big\"} | rope_theta is \"big\", expected a number",
      "config.json | {\"hidden_size\":255} | do not divide each other",
      "config.json | {\"hidden_size\":0} | hidden_size is 0, expected a whole number from 1",
      "config.json | {\"hidden_size\":256.5} | hidden_size is 256.5, expected a whole number",
      "config.json | {\"hidden_size\":99999999999999999999} | expected a whole number from 1",
      "config.json | {\"head_dim\":64} | head_dim is 64; only 128",
      "config.json | {\"num_hidden_layers\":null} | num_hidden_layers is missing",
      "config.json | {\"num_hidden_layers\":4} | tensor model.layers.3.input_layernorm.weight is missing",
      "config.json | {\"num_hidden_layers\":2} | unknown tensor model.layers.2.input_layernorm.weight [256]",
      "config.json | {\"vocab_size\":289} | model.embed_tokens.weight has shape [288, 256], expected [289, 256]",
      "config.json | {\"vocab_size\":270} | has id 270, expected 0 to 269",
      "config.json | {\"image_token_id\":288} | image_token_id is 288, expected a whole number from 0 to 287",
      "config.json | {\"image_token_id\":268} | image_token_id is 268, in the tokenizer \"<",
      "config.json | {\"text_config\":{\"hidden_size\":512}} | hidden_size is 512 here but 256 elsewhere",
      "config.json | {\"text_config\":{\"rope_scaling\":{\"mrope_section\":[24,16,24]}}} | mrope_section is [24,16,24] here",
      "config.json | {\"text_config\":{\"rope_theta\":10000}} | both spellings must agree",
      "config.json | {\"multi_vector_projector_dim\":64} | multi_vector_projector.weight has shape [128, 256], expected [64, 256]",
      "config.json | {\"multi_vector_projector_dim\":null} | multi_vector_projector_dim is missing",
      "config.json | {\"matryoshka_dims\":[128,512]} | matryoshka_dims is [128,512], expected a whole number from 1 to 256",
      "config.json | {\"task_names\":[\"retrieval\",\"retrieval\"]} | repeats a name",
      "config.json | {\"task_names\":[\"../x\"]} | task name \"../x\", expected 1 to 32 letters",
      "config.json | {\"task_names\":[\"retrieval\",\"code\"]} | names no task",
      "config.json | {\"task_names\":[\"retrieval\",\"text-matching\",\"code\",\"clustering\"]} | lora_A.clustering is missing",
      "config.json | {\"vision_config\":null} | vision_config is missing",
      "config.json | {\"vision_config\":{\"hidden_act\":\"quick_gelu\"}} | hidden_act is \"quick_gelu\"",
      "config.json | {\"vision_config\":{\"out_hidden_size\":128}} | expected the decoder's hidden_size 256",
      "config.json | {\"vision_config\":{\"temporal_patch_size\":1}} | temporal_patch_size is 1; only 2",
      "config.json | {\"vision_config\":{\"in_channels\":1}} | in_channels is 1; only 3",
      "config.json | {\"vision_config\":{\"spatial_patch_size\":16}} | spatial_patch_size is 16; only 14",
      "config.json | {\"vision_config\":{\"num_heads\":3}} | expected heads of a multiple of 4",
      "config.json | {\"vision_config\":{\"window_size\":100}} | expected a multiple of patch_size 14",
      "config.json | {\"vision_config\":{\"fullatt_block_indexes\":[4]}} | fullatt_block_indexes is [4], expected a whole number from 0 to 3",
      "config.json | {\"vision_config\":{\"fullatt_block_indexes\":[3,1]}} | expected ascending layers",
      "config.json | {\"vision_config\":{\"depth\":3,\"fullatt_block_indexes\":[1]}} | unknown tensor visual.blocks.3.",
      "preprocessor_config.json | {\"resample\":2} | resample is 2; only 3",
      "preprocessor_config.json | {\"do_resize\":false} | do_resize is false; only true",
      "preprocessor_config.json | {\"rescale_factor\":0.5} | rescale_factor is 0.5",
      "preprocessor_config.json | {\"image_mean\":[0.5]} | image_mean is [0.5], expected 3 numbers",
      "preprocessor_config.json | {\"image_std\":[1,0,1]} | expected numbers above 0",
      "preprocessor_config.json | {\"min_pixels\":null} | min_pixels is missing",
      "preprocessor_config.json | {\"max_pixels\":100} | min_pixels is 3136, expected at most max_pixels 100",
      "preprocessor_config.json | {\"merge_size\":4} | merge_size is 4; only 2",
      "adapters/adapter_config.json | {\"peft_type\":\"LOHA\"} | peft_type is \"LOHA\"; only LORA",
      "adapters/adapter_config.json | {\"bias\":\"all\"} | bias is \"all\"; only none",
      "adapters/adapter_config.json | {\"use_rslora\":true} | use_rslora is true",
      "adapters/adapter_config.json | {\"use_dora\":true} | use_dora is true",
      "adapters/adapter_config.json | {\"rank_pattern\":{\"q_proj\":8}} | rank_pattern is {\"q_proj\":8}",
      "adapters/adapter_config.json | {\"alpha_pattern\":{\"q_proj\":8}} | alpha_pattern is {\"q_proj\":8}",
      "adapters/adapter_config.json | {\"modules_to_save\":[\"embed_tokens\"]} | modules_to_save is",
      "adapters/adapter_config.json | {\"r\":16} | has shape [32, 256], expected [16, 256]",
      "adapters/adapter_config.json | {\"r\":null} | r is missing",
      "adapters/adapter_config.json | {\"lora_alpha\":-1} | lora_alpha is -1.0, expected a number above 0",
      "tokenizer.json | {\"normalizer\":{\"type\":\"NFKC\"}} | type is \"NFKC\"; only NFC",
      "tokenizer.json | {\"pre_tokenizer\":{\"pretokenizers\":[]}} | only that of Qwen2.5 is implemented",
      "tokenizer.json | {\"post_processor\":{\"type\":\"TemplateProcessing\"}} | type is \"TemplateProcessing\"; only ByteLevel",
      "tokenizer.json | {\"model\":{\"type\":\"Unigram\"}} | type is \"Unigram\"; only BPE",
      "tokenizer.json | {\"model\":{\"byte_fallback\":true}} | byte_fallback is true",
      "tokenizer.json | {\"model\":{\"merges\":[\"x y z\"]}} | merge \"x y z\", expected two tokens",
      "tokenizer.json | {\"model\":{\"merges\":[\"q z\"]}} | needs token \"qz\", which the vocabulary lacks",
      "tokenizer.json | {\"model\":{\"vocab\":{\"the\":256}}} | belongs to both",
      "tokenizer.json | {\"added_tokens\":[{\"id\":264,\"content\":\"the\"}]} | token \"the\" has ids 257 and 264",
      "tokenizer.json | {\"added_tokens\":[{\"id\":264,\"content\":\"x\",\"lstrip\":true}]} | lstrip is true",
  })
  void aSettingThatCannotBeKeptIsNamed(String file, String change, String expected) {
    MiniModel.edit(checkpoint.resolve(file), json -> merge(json, MiniModel.object(change)));
    assertRefused(expected);
  }

  @ParameterizedTest
  @ValueSource(strings = {"config.json", "preprocessor_config.json", "tokenizer.json", MODEL,
      "adapters/adapter_config.json", ADAPTERS})
  void aMissingFileIsNamed(String file) throws IOException {
    Files.delete(checkpoint.resolve(file));
    assertRefused(file.equals("tokenizer.json") ? "no tokenizer: expected tokenizer.json"
        : file.equals(MODEL) ? "no weights: expected model.safetensors" : "no such file: " + checkpoint.resolve(file));
  }

  @Test
  void missingAdaptersOfThePublishedModelAreNamed() throws IOException {
    Files.delete(checkpoint.resolve(ADAPTERS));
    Files.delete(checkpoint.resolve("adapters/adapter_config.json"));
    Files.delete(checkpoint.resolve("adapters"));
    assertRefused("the directory adapters is missing");
  }

  @ParameterizedTest
  @CsvSource({
      "model.safetensors, model.norm.weight", "model.safetensors, visual.blocks.2.attn.qkv.bias",
      "model.safetensors, multi_vector_projector.bias",
      "adapters/adapter_model.safetensors, base_model.model.model.layers.1.mlp.up_proj.lora_B.code.weight",
      "adapters/adapter_model.safetensors, base_model.model.multi_vector_projector.lora_A.code.weight"})
  void aMissingTensorIsNamed(String file, String name) {
    Tensors.edit(checkpoint.resolve(file), tensors -> tensors.remove(name));
    String flat = name.replace("base_model.model.", "");
    assertRefused("tensor " + (file.equals(MODEL) ? flat : flat.replace(".weight", "")) + " is missing");
  }

  @Test
  void anUnknownTensorIsNamed() {
    Tensors.edit(checkpoint.resolve(MODEL), tensors -> tensors.put("model.layers.0.self_attn.o_proj.bias",
        tensors.get("model.norm.weight")));
    assertRefused("unknown tensor model.layers.0.self_attn.o_proj.bias [256]");
  }

  @ParameterizedTest
  @CsvSource({
      "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight, unknown tensor",
      "base_model.model.model.layers.0.mlp.up_proj.lora_magnitude_vector.code.weight, unknown tensor",
      "base_model.model.model.layers.0.mlp.up_proj.lora_A.x.y.code.weight, names no task",
      "base_model.model.model.embed_tokens.lora_A.code.weight, unknown tensor base_model.model.model.embed_tokens",
      "base_model.model.model.layers.0.mlp.up_proj.lora_A.default.code.weight, is the same tensor as"})
  void anUnknownAdapterTensorIsNamed(String name, String expected) {
    Tensors.edit(checkpoint.resolve(ADAPTERS), tensors -> tensors.put(name, tensors.values().iterator().next()));
    assertRefused(expected);
  }

  @Test
  void aTransposedTensorIsNamed() {
    Tensors.edit(checkpoint.resolve(MODEL), tensors -> tensors.compute("model.layers.1.mlp.down_proj.weight",
        (name, tensor) -> tensor.reshaped(512L, 256L)));
    assertRefused("model.layers.1.mlp.down_proj.weight has shape [512, 256], expected [256, 512]");
  }

  @Test
  void bothStylesOfOneTensorAreRefused() {
    Tensors.edit(checkpoint.resolve(MODEL),
        tensors -> tensors.put("model.language_model.norm.weight", tensors.get("model.norm.weight")));
    assertRefused("model.language_model.norm.weight is the same tensor as model.norm.weight");
  }

  @Test
  void anUntiedOutputMatrixIsRefused() {
    MiniModel.edit(checkpoint.resolve("config.json"), config -> config.put("tie_word_embeddings", false));
    Tensors.edit(checkpoint.resolve(MODEL),
        tensors -> tensors.put("lm_head.weight", tensors.get("model.embed_tokens.weight")));
    assertRefused("tie_word_embeddings is false");
  }

  @ParameterizedTest
  @ValueSource(strings = {"bf16", "q8_0", "q4_k_m"})
  void aValueThatIsNotFiniteIsNamed(String type) {
    Tensors.edit(checkpoint.resolve(MODEL), tensors -> {
      byte[] bytes = tensors.get("model.layers.2.mlp.up_proj.weight").bytes();
      bytes[2 * (256 * 7 + 3)] = (byte) 0x80;
      bytes[2 * (256 * 7 + 3) + 1] = 0x7F;
    });
    EmbeddingException e = assertRefused("model.layers.2.mlp.up_proj.weight: ", WeightType.of(type));
    assertTrue(e.getMessage().contains("row 7, column 3"), e.getMessage());
  }

  @Test
  void aValueBeyondTheRangeOfF16IsNamed() {
    Tensors.edit(checkpoint.resolve(MODEL), tensors -> {
      byte[] bytes = tensors.get("visual.merger.mlp.0.weight").bytes();
      bytes[1] = 0x50; // about 1e10
    });
    assertRefused("visual.merger.mlp.0.weight: ", WeightType.F16);
  }

  @Test
  void aDuplicateKeyIsRefused() throws IOException {
    Path config = checkpoint.resolve("config.json");
    Files.writeString(config, Files.readString(config).replaceFirst("\\{", "{\"hidden_size\": 1,"));
    assertRefused("Duplicate field 'hidden_size'");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
      "model.other.weight | \"other.safetensors\" | no such file",
      "model.norm.weight | \"../model.safetensors\" | expected a .safetensors file beside the index",
      "model.norm.weight | \"a\\u0000.safetensors\" | expected a .safetensors file beside the index",
      "model.norm.weight | 3 | model.norm.weight is 3, expected a string",
      "model.norm.weight | null | model.norm.weight is not in the index",
      "model.layers.99.x | \"model-00001-of-00003.safetensors\" | model.layers.99.x is missing, although the index says",
  })
  void anIndexThatDoesNotFitIsRefused(String tensor, String file, String expected) throws IOException {
    ConversionTest.sharded(checkpoint);
    MiniModel.edit(checkpoint.resolve("model.safetensors.index.json"), index -> merge(index,
        MiniModel.object("{\"weight_map\":{\"" + tensor + "\":" + file + "}}")));
    assertRefused(expected);
  }

  @Test
  void aSingleFileBesideAnIndexIsRefused() throws IOException {
    byte[] single = Files.readAllBytes(checkpoint.resolve(MODEL));
    ConversionTest.sharded(checkpoint);
    Files.write(checkpoint.resolve(MODEL), single);
    assertRefused("remove one of the two");
  }

  @Test
  void weightsCutAnywhereAreRefused() throws IOException {
    byte[] whole = Files.readAllBytes(checkpoint.resolve(MODEL));
    for (int i = 0; i < 40; i++) {
      int length = i < 20 ? i * 400 : (int) (whole.length * (i - 20L) / 20);
      Files.write(checkpoint.resolve(MODEL), java.util.Arrays.copyOf(whole, length));
      assertRefused("model.safetensors");
    }
  }

  @Test
  void aDirectoryThatIsNoneIsNamed() {
    EmbeddingException e = assertThrows(EmbeddingException.class,
        () -> Conversion.of(temp.resolve("nowhere")).to(temp.resolve("out")).run());
    assertEquals(EmbeddingException.INVALID_ARGUMENT, e.code());
  }

  private EmbeddingException assertRefused(String expected) {
    return assertRefused(expected, WeightType.BF16);
  }

  private EmbeddingException assertRefused(String expected, WeightType type) {
    Path out = temp.resolve("out");
    EmbeddingException e =
        assertThrows(EmbeddingException.class, () -> Conversion.of(checkpoint).to(out).type(type).run());
    assertTrue(e.getMessage().contains(expected), e.getMessage());
    assertFalse(Files.exists(out), "nothing is left");
    return e;
  }

  /** Objects are merged, other values replaced, nulls removed. */
  private static void merge(ObjectNode into, ObjectNode change) {
    for (Map.Entry<String, JsonNode> entry : change.properties()) {
      String key = entry.getKey();
      if (entry.getValue().isNull()) into.remove(key);
      else if (entry.getValue() instanceof ObjectNode object && into.get(key) instanceof ObjectNode inner) {
        merge(inner, object);
      } else into.set(key, entry.getValue());
    }
  }
}
