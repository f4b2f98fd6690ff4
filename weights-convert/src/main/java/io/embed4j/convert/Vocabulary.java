package io.embed4j.convert;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The tokenizer as a GGUF file holds it: tokens by id, their kinds, merges by rank.
 *
 * @param tokens [vocab_size], ids that no token has filled as llama.cpp fills them
 * @param types [vocab_size], as {@link Kind#id}
 * @param merges "left right", best rank first
 * @param special ids by their role: bos, eos, unk, sep, pad
 */
record Vocabulary(
    List<String> tokens,
    List<Integer> types,
    List<String> merges,
    Map<String, Integer> special,
    boolean addBosToken,
    Optional<String> chatTemplate) {

  /** Kinds of tokens (llama.h, enum llama_token_type). */
  private enum Kind {
    NORMAL(1), CONTROL(3), USER_DEFINED(4), UNUSED(5);

    final int id;

    Kind(int id) {
      this.id = id;
    }
  }

  /** A token that is recognised in text before the pattern and the merges apply. */
  record AddedToken(int id, String content, boolean special) {
    /** llama.cpp's converter takes a token for a control token by its spelling too (does_token_look_special). */
    private Kind kind() {
      boolean control = special || content.startsWith("<|") && content.endsWith("|>");
      return control ? Kind.CONTROL : Kind.USER_DEFINED;
    }
  }

  /**
   * Puts the parts together.
   *
   * @param where the file or files, for messages
   * @param vocab token to id
   * @param merges two tokens each, best rank first
   * @param settings tokenizer_config.json, if there is one
   */
  static Vocabulary of(String where, Map<String, Integer> vocab, List<Merge> merges, List<AddedToken> added,
      Optional<JsonObject> settings, TextConfig config) {
    requireMerges(where, vocab, merges);
    Map<String, Integer> ids = new HashMap<>(vocab);
    for (AddedToken token : added) {
      Integer other = ids.putIfAbsent(token.content, token.id);
      if (other != null && other != token.id) {
        throw Failure.bad(where, "token \"" + token.content + "\" has ids " + other + " and " + token.id);
      }
    }
    List<String> tokens = new ArrayList<>(Collections.nCopies(config.vocabSize(), null));
    List<Integer> types = new ArrayList<>(Collections.nCopies(config.vocabSize(), Kind.UNUSED.id));
    vocab.forEach((token, id) -> put(where, tokens, types, id, token, Kind.NORMAL));
    for (AddedToken token : added) put(where, tokens, types, token.id, token.content, token.kind());
    for (int id = 0; id < tokens.size(); id++) {
      if (tokens.get(id) == null) tokens.set(id, "[PAD" + id + "]");
    }
    return new Vocabulary(tokens, types, merges.stream().map(Merge::toString).toList(),
        special(added, settings, config),
        settings.map(from -> from.flag("add_bos_token", false)).orElse(false),
        settings.filter(from -> from.has("chat_template") && from.node().get("chat_template").isTextual())
            .map(from -> from.text("chat_template")));
  }

  /** Two tokens that become one. */
  record Merge(String left, String right) {
    @Override
    public String toString() {
      return left + " " + right;
    }
  }

  private static void put(String where, List<String> tokens, List<Integer> types, int id, String token, Kind kind) {
    if (id < 0 || id >= tokens.size()) {
      throw Failure.bad(where, "token \"" + token + "\" has id " + id + ", expected 0 to " + (tokens.size() - 1)
          + " (vocab_size in config.json)");
    }
    if (tokens.get(id) != null && !tokens.get(id).equals(token)) {
      throw Failure.bad(where, "id " + id + " belongs to both \"" + tokens.get(id) + "\" and \"" + token + "\"");
    }
    tokens.set(id, token);
    types.set(id, kind.id);
  }

  private static void requireMerges(String where, Map<String, Integer> vocab, List<Merge> merges) {
    for (Merge merge : merges) {
      for (String token : List.of(merge.left, merge.right, merge.left + merge.right)) {
        if (!vocab.containsKey(token)) {
          throw Failure.bad(where, "merge \"" + merge + "\" needs token \"" + token + "\", which the vocabulary lacks");
        }
      }
    }
  }

  /** tokenizer_config.json names the tokens; config.json gives ids for those it leaves out (gguf-py, SpecialVocab). */
  private static Map<String, Integer> special(List<AddedToken> added, Optional<JsonObject> settings,
      TextConfig config) {
    Map<String, Integer> special = new LinkedHashMap<>();
    settings.ifPresent(from -> {
      for (String role : List.of("bos", "eos", "unk", "sep", "pad")) {
        content(from, role + "_token").ifPresent(content -> added.stream()
            .filter(token -> token.content.equals(content))
            .findFirst()
            .ifPresent(token -> special.put(role, token.id)));
      }
    });
    config.bosTokenId().ifPresent(id -> special.putIfAbsent("bos", id));
    config.eosTokenId().ifPresent(id -> special.putIfAbsent("eos", id));
    return special;
  }

  /** A token is written as its text or as an object that holds it. */
  private static Optional<String> content(JsonObject settings, String key) {
    if (!settings.has(key)) return Optional.empty();
    boolean plain = settings.node().get(key).isTextual();
    return Optional.of(plain ? settings.text(key) : settings.object(key).text("content"));
  }
}
