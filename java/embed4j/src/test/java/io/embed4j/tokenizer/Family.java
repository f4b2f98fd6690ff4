package io.embed4j.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPInputStream;

/** The tokenizer every Qwen2.5-VL checkpoint carries, as GGUF metadata, and what the reference makes of some texts. */
final class Family {
  /** Hugging Face's answer: {@code ids} with added tokens recognised, {@code literalIds} without. */
  record Case(String text, int[] ids, int[] literalIds) {}

  private static final Path TOKENIZER_JSON = Path.of(
      System.getProperty("basedir", "."),
      "../../weights-convert/src/main/resources/io/embed4j/convert/tokenizer.json.gz");
  private static final int VOCABULARY_SIZE = 151_936;

  static final String[] TOKENS = new String[VOCABULARY_SIZE];
  static final int[] TOKEN_TYPES = new int[VOCABULARY_SIZE];
  static final String[] MERGES;
  static final Tokenizer TOKENIZER;

  static {
    JsonNode root;
    try (InputStream in = new GZIPInputStream(Files.newInputStream(TOKENIZER_JSON))) {
      root = new ObjectMapper().readTree(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Arrays.setAll(TOKENS, id -> "[PAD" + id + "]");
    Arrays.fill(TOKEN_TYPES, 5);
    root.at("/model/vocab").properties().forEach(entry -> {
      TOKENS[entry.getValue().asInt()] = entry.getKey();
      TOKEN_TYPES[entry.getValue().asInt()] = 1;
    });
    for (JsonNode added : root.get("added_tokens")) {
      TOKENS[added.get("id").asInt()] = added.get("content").asText();
      TOKEN_TYPES[added.get("id").asInt()] = added.get("special").asBoolean() ? 3 : 4;
    }
    List<String> merges = new ArrayList<>();
    for (JsonNode merge : root.at("/model/merges")) {
      merges.add(merge.isArray() ? merge.get(0).asText() + " " + merge.get(1).asText() : merge.asText());
    }
    MERGES = merges.toArray(String[]::new);
    TOKENIZER = Tokenizer.of(TOKENS, TOKEN_TYPES, MERGES);
  }

  private Family() {}

  static List<Case> cases(String resource) {
    try (InputStream in = new GZIPInputStream(Family.class.getResourceAsStream(resource))) {
      List<Case> cases = new ArrayList<>();
      for (JsonNode node : new ObjectMapper().readTree(in)) {
        cases.add(new Case(node.get("text").asText(), ints(node.get("ids")), ints(node.get("literal_ids"))));
      }
      return cases;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int[] ints(JsonNode array) {
    int[] ints = new int[array.size()];
    Arrays.setAll(ints, i -> array.get(i).asInt());
    return ints;
  }

  /** The bytes that ids of ordinary tokens stand for. */
  static byte[] bytes(int[] ids) {
    byte[] byteOf = new byte[0x200];
    for (int value = 0; value < 256; value++) {
      byteOf[ByteSpelling.of(value)] = (byte) value;
    }
    StringBuilder spelling = new StringBuilder();
    for (int id : ids) {
      spelling.append(TOKENIZER.piece(id));
    }
    byte[] bytes = new byte[spelling.length()];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = byteOf[spelling.charAt(i)];
    }
    return bytes;
  }
}
