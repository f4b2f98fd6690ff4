package io.embed4j.convert;

import java.util.List;
import java.util.OptionalInt;

/**
 * What config.json says, checked: everything that changes arithmetic is read and either carried or refused.
 *
 * @param published whether the architecture is the published JinaEmbeddingsV4Model, whose checkpoint must have its
 *     multi-vector head and an adapter per task; a checkpoint with the adapters merged into the weights names another
 * @param multiVectorDim multi_vector_projector_dim, if stated
 * @param matryoshkaDims sizes a dense vector may be cut to, ascending; empty if not stated
 * @param taskNames the adapters; empty if not stated
 */
record ModelConfig(
    TextConfig text,
    VisionConfig vision,
    boolean published,
    OptionalInt multiVectorDim,
    List<Integer> matryoshkaDims,
    List<String> taskNames,
    TokenIds tokens) {

  /** The architecture of the published checkpoint. */
  static final String PUBLISHED = "JinaEmbeddingsV4Model";
  /** What its files are called. */
  static final String PUBLISHED_NAME = "jina-embeddings-v4";

  /** Token ids that config.json repeats from the tokenizer. */
  record TokenIds(int image, int visionStart, int visionEnd) {
    /** Refuses ids that mean other tokens in the tokenizer: prompts are made of its tokens. */
    void requireIn(String where, Vocabulary vocabulary) {
      require(where, vocabulary, "image_token_id", image, "<|image_pad|>");
      require(where, vocabulary, "vision_start_token_id", visionStart, "<|vision_start|>");
      require(where, vocabulary, "vision_end_token_id", visionEnd, "<|vision_end|>");
    }

    private static void require(String where, Vocabulary vocabulary, String key, int id, String expected) {
      String token = vocabulary.tokens().get(id);
      if (!token.equals(expected)) {
        throw Failure.bad(where, key + " is " + id + ", in the tokenizer \"" + token + "\"; expected the id of "
            + expected);
      }
    }
  }

  static ModelConfig of(JsonObject config) {
    config.only("model_type", "qwen2_5_vl", true);
    config.unset("quantization_config");
    config.only("single_vector_pool_strategy", "mean", true);
    TextConfig text = TextConfig.of(config);
    VisionConfig vision = VisionConfig.of(config.object("vision_config"), text.hiddenSize());
    TokenIds tokens = new TokenIds(
        (int) config.integer("image_token_id", 0, text.vocabSize() - 1),
        (int) config.integer("vision_start_token_id", 0, text.vocabSize() - 1),
        (int) config.integer("vision_end_token_id", 0, text.vocabSize() - 1));
    boolean published = config.has("architectures") && config.texts("architectures").contains(PUBLISHED);
    OptionalInt multiVectorDim = config.has("multi_vector_projector_dim")
        ? OptionalInt.of(config.extent("multi_vector_projector_dim"))
        : OptionalInt.empty();
    if (published && multiVectorDim.isEmpty()) {
      throw Failure.bad(config.where(), "multi_vector_projector_dim is missing");
    }
    return new ModelConfig(text, vision, published, multiVectorDim, matryoshkaDims(config, text), tasks(config),
        tokens);
  }

  private static List<Integer> matryoshkaDims(JsonObject config, TextConfig text) {
    if (!config.has("matryoshka_dims")) return List.of();
    List<Integer> dims = config.integers("matryoshka_dims", 1, text.hiddenSize());
    return dims.stream().sorted().distinct().toList();
  }

  private static List<String> tasks(JsonObject config) {
    if (!config.has("task_names")) return List.of();
    List<String> tasks = config.texts("task_names");
    for (String task : tasks) requireFileName(config.where(), task);
    if (tasks.stream().distinct().count() < tasks.size()) {
      throw Failure.bad(config.where(), "task_names is " + config.shown("task_names") + ", which repeats a name");
    }
    return tasks;
  }

  /** A task's name becomes part of a file name and of tensor names. */
  static void requireFileName(String where, String task) {
    if (!task.matches("[A-Za-z0-9][A-Za-z0-9_-]{0,31}")) {
      throw Failure.bad(where, "task name \"" + task + "\", expected 1 to 32 letters, digits, _ and -");
    }
  }
}
