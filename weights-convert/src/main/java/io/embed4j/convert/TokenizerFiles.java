package io.embed4j.convert;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads a tokenizer from tokenizer.json, or from vocab.json and merges.txt. Only Qwen2.5's byte-level BPE is accepted:
 * a GGUF file can name its normaliser and pre-tokenizer ("qwen2") but not spell them out.
 */
final class TokenizerFiles {
  /** Splits text before the merges apply: contractions, words, single digits, punctuation, line ends, spaces. */
  private static final String PATTERN = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
      + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  private TokenizerFiles() {}

  static Vocabulary read(Path directory, TextConfig config) {
    Path settingsFile = directory.resolve("tokenizer_config.json");
    Optional<JsonObject> settings =
        Files.exists(settingsFile) ? Optional.of(JsonObject.read(settingsFile)) : Optional.empty();
    Path tokenizer = directory.resolve("tokenizer.json");
    if (Files.exists(tokenizer)) return tokenizerJson(JsonObject.read(tokenizer), settings, config);
    Path vocab = directory.resolve("vocab.json");
    Path merges = directory.resolve("merges.txt");
    if (!Files.exists(vocab) || !Files.exists(merges)) {
      throw Failure.bad(directory.toString(), "no tokenizer: expected tokenizer.json, or vocab.json and merges.txt");
    }
    return vocabAndMerges(directory, vocab, merges, settings, config);
  }

  /** A tokenizer.json; settings is the tokenizer_config.json beside it. */
  static Vocabulary tokenizerJson(JsonObject tokenizer, Optional<JsonObject> settings, TextConfig config) {
    requireSteps(tokenizer);
    JsonObject model = tokenizer.object("model");
    model.only("type", "BPE", true);
    for (String unset : List.of("dropout", "byte_fallback", "ignore_merges", "fuse_unk")) model.unset(unset);
    model.only("continuing_subword_prefix", "", true);
    model.only("end_of_word_suffix", "", true);
    List<Vocabulary.Merge> merges = new ArrayList<>();
    for (JsonNode merge : model.array("merges")) merges.add(merge(model.where(), merge));
    List<Vocabulary.AddedToken> added = new ArrayList<>();
    if (tokenizer.has("added_tokens")) {
      for (JsonNode token : tokenizer.array("added_tokens")) {
        if (!(token instanceof ObjectNode object)) {
          throw Failure.bad(tokenizer.where(), "added_tokens holds " + token + ", expected objects");
        }
        JsonObject entry = new JsonObject(tokenizer.where() + ": added_tokens", object);
        added.add(addedToken(entry, (int) entry.integer("id", 0, Integer.MAX_VALUE)));
      }
    }
    return Vocabulary.of(tokenizer.where(), vocab(model.object("vocab")), merges, added, settings, config);
  }

  private static Vocabulary vocabAndMerges(Path directory, Path vocab, Path merges, Optional<JsonObject> settings,
      TextConfig config) {
    JsonObject named = settings.orElseThrow(() -> Failure.bad(directory.toString(),
        "vocab.json and merges.txt need tokenizer_config.json beside them"));
    String type = named.text("tokenizer_class");
    if (!type.equals("Qwen2Tokenizer") && !type.equals("Qwen2TokenizerFast")) {
      throw Failure.unsupported(named.where(), "tokenizer_class is \"" + type
          + "\"; only Qwen2Tokenizer is implemented");
    }
    List<Vocabulary.AddedToken> added = new ArrayList<>();
    named.optionalObject("added_tokens_decoder").ifPresent(tokens -> {
      for (String id : tokens.keys()) added.add(addedToken(tokens.object(id), number(tokens.where(), id)));
    });
    Path addedFile = directory.resolve("added_tokens.json");
    if (added.isEmpty() && Files.exists(addedFile)) {
      vocab(JsonObject.read(addedFile)).forEach((token, id) -> added.add(new Vocabulary.AddedToken(id, token, true)));
    }
    return Vocabulary.of(vocab.toString(), vocab(JsonObject.read(vocab)), mergesText(merges), added, settings, config);
  }

  private static int number(String where, String id) {
    try {
      return Integer.parseInt(id);
    } catch (NumberFormatException e) {
      throw Failure.bad(where, "\"" + id + "\" is not an id");
    }
  }

  private static void requireSteps(JsonObject tokenizer) {
    String where = tokenizer.where();
    tokenizer.object("normalizer").only("type", "NFC", false);
    JsonObject split = tokenizer.object("pre_tokenizer");
    split.only("type", "Sequence", false);
    JsonNode steps = split.array("pretokenizers");
    if (steps.size() != 2 || !steps.get(0).path("pattern").path("Regex").asText().equals(PATTERN)
        || !steps.get(0).path("type").asText().equals("Split")
        || !steps.get(0).path("behavior").asText().equals("Isolated")
        || steps.get(0).path("invert").asBoolean() || !steps.get(1).path("type").asText().equals("ByteLevel")
        || steps.get(1).path("add_prefix_space").asBoolean(true) || steps.get(1).path("use_regex").asBoolean(true)) {
      throw Failure.unsupported(where, "pre_tokenizer is " + tokenizer.shown("pre_tokenizer")
          + "; only that of Qwen2.5 is implemented");
    }
    tokenizer.optionalObject("post_processor").ifPresent(step -> step.only("type", "ByteLevel", false));
  }

  private static Map<String, Integer> vocab(JsonObject object) {
    Map<String, Integer> vocab = HashMap.newHashMap(object.node().size());
    for (String token : object.keys()) vocab.put(token, (int) object.integer(token, 0, Integer.MAX_VALUE));
    return vocab;
  }

  /** "left right" or ["left", "right"]. Byte-level tokens hold no space: it is spelled as another letter. */
  private static Vocabulary.Merge merge(String where, JsonNode merge) {
    if (merge.isArray() && merge.size() == 2 && merge.get(0).isTextual() && merge.get(1).isTextual()) {
      return new Vocabulary.Merge(merge.get(0).textValue(), merge.get(1).textValue());
    }
    if (merge.isTextual()) return merge(where, merge.textValue());
    throw Failure.bad(where, "merge " + merge + ", expected two tokens");
  }

  private static Vocabulary.Merge merge(String where, String merge) {
    int space = merge.indexOf(' ');
    if (space <= 0 || space == merge.length() - 1 || merge.indexOf(' ', space + 1) >= 0) {
      throw Failure.bad(where, "merge \"" + merge + "\", expected two tokens with a space between them");
    }
    return new Vocabulary.Merge(merge.substring(0, space), merge.substring(space + 1));
  }

  private static List<Vocabulary.Merge> mergesText(Path file) {
    List<Vocabulary.Merge> merges = new ArrayList<>();
    try {
      // Not Files.readAllLines, which would also split at a lone carriage return.
      String[] lines = Files.readString(file, StandardCharsets.UTF_8).split("\r?\n");
      for (int i = 0; i < lines.length; i++) {
        if (i == 0 && lines[i].startsWith("#version") || lines[i].isEmpty()) continue;
        merges.add(merge(file + ": line " + (i + 1), lines[i]));
      }
    } catch (IOException e) {
      throw Failure.io("read", file, e);
    }
    return merges;
  }

  private static Vocabulary.AddedToken addedToken(JsonObject entry, int id) {
    for (String unset : List.of("lstrip", "rstrip", "single_word")) entry.unset(unset);
    return new Vocabulary.AddedToken(id, entry.text("content"), entry.flag("special", false));
  }
}
