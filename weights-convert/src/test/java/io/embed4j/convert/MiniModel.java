package io.embed4j.convert;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/** A checkpoint small enough to be written and converted hundreds of times, and edits to break it. */
final class MiniModel {
  static final ObjectMapper JSON = new ObjectMapper();
  static final int VOCAB = 288;
  static final int TOOL_CALL = 271;
  static final List<String> ADDED = List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>",
      "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", "<tool_call>");
  /** ffn_down of the vision tower has rows of 36, which blocks of 32 do not divide. */
  static final SynthConfig CONFIG = new SynthConfig("mini", VOCAB, 256, 2, 1, 512, 3, 64, 2, 36, 4, List.of(1, 3),
      List.of(128, 256));

  /** 256 byte-level letters, three merges, the special tokens and one that is not special. */
  private static final SynthTokenizer TOKENIZER = tokenizer();

  private MiniModel() {}

  static SynthCheckpoint checkpoint(SynthConfig.Style style) {
    return new SynthCheckpoint(CONFIG, "salt", style, TOKENIZER);
  }

  static Path write(Path directory) {
    return write(directory, SynthConfig.Style.FLAT);
  }

  static Path write(Path directory, SynthConfig.Style style) {
    checkpoint(style).write(directory, false, Progress.NONE);
    return directory;
  }

  /** A copy to break. */
  static Path copy(Path checkpoint, Path to) {
    try (var files = Files.walk(checkpoint)) {
      for (Path file : files.toList()) Files.copy(file, to.resolve(checkpoint.relativize(file).toString()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return to;
  }

  /** Changes a JSON file in place. */
  static void edit(Path file, Consumer<ObjectNode> change) {
    try {
      ObjectNode node = (ObjectNode) JSON.readTree(Files.readAllBytes(file));
      change.accept(node);
      Files.write(file, JSON.writeValueAsBytes(node));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static ObjectNode object(String json) {
    try {
      return (ObjectNode) JSON.readTree(json);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static SynthTokenizer tokenizer() {
    try (var in = SynthCheckpoint.class.getResourceAsStream("tokenizer_config.json")) {
      ObjectNode family = object(new String(SynthTokenizer.family().json(), StandardCharsets.UTF_8));
      ObjectNode vocab = JSON.createObjectNode();
      List<String> letters = letters();
      for (int i = 0; i < 256; i++) vocab.put(letters.get(i), i);
      vocab.put("th", 256).put("the", 257).put("Ġthe", 258);
      ObjectNode model = (ObjectNode) family.get("model");
      model.set("vocab", vocab);
      model.putArray("merges").add("t h").add("th e").add("Ġ the");
      ArrayNode added = family.putArray("added_tokens");
      for (int i = 0; i < ADDED.size(); i++) {
        added.addObject().put("id", 264 + i).put("content", ADDED.get(i)).put("special", 264 + i != TOOL_CALL);
      }
      return new SynthTokenizer(JSON.writeValueAsBytes(family), in.readAllBytes(), 264, 266, 267, 269);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** GPT-2's spelling of the 256 bytes: printable ones as themselves, the others moved above U+0100. */
  private static List<String> letters() {
    int[] moved = {256};
    return java.util.stream.IntStream.range(0, 256)
        .map(b -> b > 32 && b < 127 || b > 160 && b < 256 && b != 173 ? b : moved[0]++)
        .mapToObj(Character::toString)
        .toList();
  }
}
