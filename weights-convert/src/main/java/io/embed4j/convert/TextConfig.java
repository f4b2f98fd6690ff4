package io.embed4j.convert;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Optional;

/**
 * The decoder's part of config.json. Older library versions write its keys at the top level, newer ones under
 * text_config, the published model both: where both are present they must agree.
 *
 * @param ropeSections rotary pairs for the temporal, height and width position; together half of the head size
 */
record TextConfig(
    int hiddenSize,
    int intermediateSize,
    int layers,
    int heads,
    int kvHeads,
    int vocabSize,
    int maxPositions,
    double rmsNormEps,
    double ropeTheta,
    List<Integer> ropeSections,
    Optional<Integer> bosTokenId,
    Optional<Integer> eosTokenId) {

  private static final List<String> KEYS = List.of("hidden_size", "intermediate_size", "num_hidden_layers",
      "num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings", "rms_norm_eps",
      "rope_theta", "hidden_act", "use_sliding_window", "layer_types");
  /** The same object's old and new name; the new one holds rope_theta too. */
  private static final List<String> ROPE_KEYS = List.of("rope_scaling", "rope_parameters");

  static TextConfig of(JsonObject config) {
    JsonObject text = merged(config);
    text.only("hidden_act", "silu", true);
    text.unset("use_sliding_window");
    if (text.has("layer_types") && !text.texts("layer_types").stream().allMatch("full_attention"::equals)) {
      throw Failure.unsupported(text.where(), "layer_types is " + text.shown("layer_types")
          + "; only full_attention is implemented");
    }
    int hidden = text.extent("hidden_size");
    int heads = text.extent("num_attention_heads");
    int kvHeads = text.extent("num_key_value_heads");
    if (hidden % heads != 0 || heads % kvHeads != 0) {
      throw Failure.bad(text.where(), "hidden_size " + hidden + ", num_attention_heads " + heads
          + " and num_key_value_heads " + kvHeads + " do not divide each other");
    }
    text.only("head_dim", hidden / heads, true);
    List<Integer> sections = text.integers("mrope_section", 0, hidden);
    if (sections.size() != 3 || sections.stream().mapToInt(Integer::intValue).sum() * 2 != hidden / heads) {
      throw Failure.bad(text.where(), "mrope_section is " + sections + ", expected 3 numbers that sum to half of the"
          + " head size " + hidden / heads);
    }
    double eps = text.number("rms_norm_eps");
    double theta = text.number("rope_theta");
    if (eps <= 0 || theta <= 0) {
      throw Failure.bad(text.where(), "rms_norm_eps " + eps + " and rope_theta " + theta
          + ", expected numbers above 0");
    }
    first(config, "tie_word_embeddings").ifPresent(from -> from.only("tie_word_embeddings", true, false));
    int vocab = (int) text.integer("vocab_size", 1, 1 << 20);
    return new TextConfig(hidden, text.extent("intermediate_size"), (int) text.integer("num_hidden_layers", 1, 4096),
        heads, kvHeads, vocab, text.extent("max_position_embeddings"), eps, theta, sections,
        tokenId(config, "bos_token_id", vocab), tokenId(config, "eos_token_id", vocab));
  }

  int headDim() {
    return hiddenSize / heads;
  }

  /** Where a key that changes no arithmetic stands: the top level comes first, as in the library. */
  private static Optional<JsonObject> first(JsonObject config, String key) {
    if (config.has(key)) return Optional.of(config);
    return config.optionalObject("text_config").filter(text -> text.has(key));
  }

  /** Generation settings may list several ids; those are of no use here. */
  private static Optional<Integer> tokenId(JsonObject config, String key, int vocab) {
    return first(config, key)
        .filter(from -> from.node().get(key).isIntegralNumber())
        .map(from -> (int) from.integer(key, 0, vocab - 1));
  }

  /** The keys of both spellings in one object, the rotary settings opened up. */
  private static JsonObject merged(JsonObject config) {
    ObjectNode both = JsonNodeFactory.instance.objectNode();
    add(config, both);
    config.optionalObject("text_config").ifPresent(text -> add(text, both));
    return new JsonObject(config.where(), both);
  }

  private static void add(JsonObject from, ObjectNode both) {
    for (String key : KEYS) add(from, key, both);
    for (String key : ROPE_KEYS) {
      from.optionalObject(key).ifPresent(rope -> {
        requirePlain(rope);
        add(rope, "mrope_section", both);
        add(rope, "rope_theta", both);
      });
    }
  }

  private static void add(JsonObject from, String key, ObjectNode both) {
    if (!from.has(key)) return;
    JsonNode value = from.node().get(key);
    JsonNode other = both.get(key);
    if (other != null && !same(value, other)) {
      throw Failure.bad(from.where(), key + " is " + from.shown(key) + " here but " + other
          + " elsewhere in the file; both spellings must agree");
    }
    both.set(key, value);
  }

  private static boolean same(JsonNode a, JsonNode b) {
    return a.isNumber() && b.isNumber() ? a.decimalValue().compareTo(b.decimalValue()) == 0 : a.equals(b);
  }

  /** Rotary positions as they are, by sections: no scaling. The type is called default or, in older files, mrope. */
  private static void requirePlain(JsonObject rope) {
    for (String key : List.of("type", "rope_type")) {
      if (rope.has(key) && !List.of("default", "mrope").contains(rope.text(key))) {
        throw Failure.unsupported(rope.where(), key + " is " + rope.shown(key) + "; only default is implemented");
      }
    }
  }
}
