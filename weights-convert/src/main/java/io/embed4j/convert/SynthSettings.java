package io.embed4j.convert;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;

/** The JSON files of a synthetic checkpoint, with the keys of the published one. */
final class SynthSettings {
  private SynthSettings() {}

  /** config.json. */
  static byte[] model(SynthConfig config, SynthConfig.Style style, SynthTokenizer tokenizer) {
    ObjectNode top = object();
    top.putArray("architectures").add(ModelConfig.PUBLISHED);
    top.put("model_type", "qwen2_5_vl").put("torch_dtype", "bfloat16");
    top.set("vision_config", vision(config));
    top.put("image_token_id", tokenizer.imagePad()).put("video_token_id", tokenizer.imagePad() + 1);
    top.put("vision_start_token_id", tokenizer.visionStart());
    top.put("vision_end_token_id", tokenizer.visionStart() + 1);
    config.matryoshkaDims().forEach(top.putArray("matryoshka_dims")::add);
    top.put("multi_vector_projector_dim", SynthWeights.MULTIVECTOR_DIM).put("single_vector_pool_strategy", "mean");
    SynthWeights.TASKS.forEach(top.putArray("task_names")::add);
    top.putNull("truncate_dim");
    if (style == SynthConfig.Style.NESTED) {
      top.set("text_config", text(config, tokenizer));
    } else {
      top.setAll(text(config, tokenizer));
    }
    return bytes(top);
  }

  private static ObjectNode text(SynthConfig config, SynthTokenizer tokenizer) {
    ObjectNode text = object();
    text.put("hidden_size", config.hidden()).put("intermediate_size", config.intermediate());
    text.put("num_hidden_layers", config.layers()).put("num_attention_heads", config.heads());
    text.put("num_key_value_heads", config.kvHeads()).put("vocab_size", config.vocabSize());
    text.put("hidden_act", "silu").put("rms_norm_eps", 1e-6).put("rope_theta", 1e6);
    text.put("max_position_embeddings", 128000).put("tie_word_embeddings", true);
    ObjectNode rope = text.putObject("rope_scaling").put("type", "default").put("rope_type", "default");
    rope.putArray("mrope_section").add(16).add(24).add(24);
    text.put("bos_token_id", tokenizer.bos()).put("eos_token_id", tokenizer.eos());
    return text.put("attention_dropout", 0.0).put("use_sliding_window", false);
  }

  private static ObjectNode vision(SynthConfig config) {
    ObjectNode vision = object();
    vision.put("depth", config.visionDepth()).put("hidden_size", config.visionHidden());
    vision.put("num_heads", config.visionHeads()).put("intermediate_size", config.visionIntermediate());
    vision.put("out_hidden_size", config.hidden());
    vision.put("in_chans", VisionConfig.CHANNELS).put("in_channels", VisionConfig.CHANNELS);
    vision.put("patch_size", SynthWeights.PATCH_SIZE).put("spatial_patch_size", SynthWeights.PATCH_SIZE);
    vision.put("spatial_merge_size", SynthWeights.MERGE_SIZE);
    vision.put("temporal_patch_size", VisionConfig.TEMPORAL_PATCH_SIZE);
    vision.put("tokens_per_second", 2).put("window_size", 112);
    config.fullAttention().forEach(vision.putArray("fullatt_block_indexes")::add);
    return vision.put("hidden_act", "silu").put("model_type", "qwen2_5_vl");
  }

  /** adapters/adapter_config.json. */
  static byte[] adapters() {
    ObjectNode lora = object();
    lora.put("peft_type", "LORA").put("r", SynthWeights.RANK).put("lora_alpha", SynthWeights.RANK);
    lora.put("lora_dropout", 0.1).put("bias", "none").put("use_rslora", false).put("use_dora", false);
    lora.put("base_model_name_or_path", "jinaai/jina-embeddings-v4").putNull("task_type").putNull("modules_to_save");
    lora.put("target_modules", "(.*(model).*(down_proj|gate_proj|up_proj|k_proj|q_proj|v_proj|o_proj).*$|"
        + ".*(single_vector_projector|multi_vector_projector).*$)");
    return bytes(lora.put("exclude_modules", ".*visual.*"));
  }

  /** preprocessor_config.json. */
  static byte[] images() {
    ObjectNode images = object();
    images.put("min_pixels", 3136).put("max_pixels", 602112).put("patch_size", SynthWeights.PATCH_SIZE);
    images.put("temporal_patch_size", VisionConfig.TEMPORAL_PATCH_SIZE).put("merge_size", SynthWeights.MERGE_SIZE);
    images.put("resample", 3).put("do_convert_rgb", true).put("do_normalize", true).put("do_rescale", true);
    images.put("do_resize", true).put("rescale_factor", 1 / 255.0);
    add(images.putArray("image_mean"), 0.48145466, 0.4578275, 0.40821073);
    add(images.putArray("image_std"), 0.26862954, 0.26130258, 0.27577711);
    images.put("image_processor_type", "Qwen2VLImageProcessorFast");
    return bytes(images.put("processor_class", "JinaEmbeddingsV4Processor"));
  }

  private static void add(ArrayNode array, double... values) {
    for (double value : values) array.add(value);
  }

  private static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }

  private static byte[] bytes(ObjectNode object) {
    return (object.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8);
  }
}
