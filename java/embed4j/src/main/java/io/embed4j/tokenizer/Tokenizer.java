package io.embed4j.tokenizer;

import io.embed4j.tokenizer.AddedTokens.Added;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Qwen2's byte-level BPE tokenizer: NFC, the pre-tokenizer's pattern, merges by rank. Its ids are those of Hugging
 * Face's tokenizers 0.23 with the tokenizer.json of the Qwen2.5 family; no token is added before or after the text.
 *
 * <p>Unicode versions are the reference's, not the running JDK's: letters and numbers are those of Unicode 16.0, and
 * text is normalised as Unicode 9.0 does (marks and composed characters of later versions are left as they come).
 *
 * <p>Immutable but for a bounded cache of words; safe for use by many threads at once. Encoding takes time linear in
 * the text but for a logarithm on pieces without a break, and memory in proportion to it.
 */
public final class Tokenizer {
  /** {@code tokenizer.ggml.token_type} of GGUF: llama.cpp's llama_token_type. */
  private static final int NORMAL = 1;
  private static final int CONTROL = 3;
  private static final int USER_DEFINED = 4;
  private static final int BYTE = 6;

  private final String[] tokens;
  private final int[] byteIds;
  private final Merges merges;
  private final AddedTokens added;
  private final Words words = new Words();

  private Tokenizer(String[] tokens, int[] byteIds, Merges merges, AddedTokens added) {
    this.tokens = tokens;
    this.byteIds = byteIds;
    this.merges = merges;
    this.added = added;
  }

  /**
   * A tokenizer from a model file's metadata.
   *
   * @param tokens     {@code tokenizer.ggml.tokens}: [id] -> text, normal ones in GPT-2's byte spelling; at most
   *                   1,048,576
   * @param tokenTypes {@code tokenizer.ggml.token_type}: [id] -> 1 normal, 2 unknown, 3 control, 4 user defined,
   *                   5 unused, 6 byte
   * @param merges     {@code tokenizer.ggml.merges}: [rank] -> {@code "left right"}; at most 4,194,304
   * @throws IllegalArgumentException if the lengths differ, a token is missing, empty or comes twice, a type is
   *     unknown, one of the 256 bytes has no token, or a merge is malformed, repeated or of or to an unknown token
   */
  public static Tokenizer of(String[] tokens, int[] tokenTypes, String[] merges) {
    if (tokens.length == 0 || tokens.length > Merges.MAX_TOKENS) {
      throw new IllegalArgumentException(
          "tokens has " + tokens.length + " entries, expected 1 to " + Merges.MAX_TOKENS);
    }
    if (tokenTypes.length != tokens.length) {
      throw new IllegalArgumentException("tokenTypes has " + tokenTypes.length
          + " entries, expected one for each of the " + tokens.length + " tokens");
    }
    if (merges.length > Merges.MAX_MERGES) {
      throw new IllegalArgumentException(
          "merges has " + merges.length + " entries, expected at most " + Merges.MAX_MERGES);
    }
    Map<String, Integer> ids = HashMap.newHashMap(tokens.length);
    List<Added> added = new ArrayList<>();
    for (int id = 0; id < tokens.length; id++) {
      String token = tokens[id];
      if (token == null || token.isEmpty()) {
        throw new IllegalArgumentException("tokens[" + id + "] is " + quoted(token) + ", expected a text");
      }
      Integer other = ids.putIfAbsent(token, id);
      if (other != null) {
        throw new IllegalArgumentException(
            "tokens[" + id + "] repeats tokens[" + other + "], " + quoted(token));
      }
      int type = tokenTypes[id];
      if (type < NORMAL || type > BYTE) {
        throw new IllegalArgumentException("tokenTypes[" + id + "] is " + type + ", expected 1 to 6");
      }
      if (type == CONTROL || type == USER_DEFINED) {
        added.add(new Added(token, id));
      }
    }
    return new Tokenizer(tokens.clone(), byteIds(ids), new Merges(merges, ids), new AddedTokens(added));
  }

  private static int[] byteIds(Map<String, Integer> ids) {
    int[] byteIds = new int[256];
    for (int value = 0; value < byteIds.length; value++) {
      String spelling = String.valueOf(ByteSpelling.of(value));
      Integer id = ids.get(spelling);
      if (id == null) {
        throw new IllegalArgumentException(
            String.format("tokens has no %s for byte 0x%02X", quoted(spelling), value));
      }
      byteIds[value] = id;
    }
    return byteIds;
  }

  /**
   * The ids of a text.
   *
   * @param text    any text without unpaired surrogates
   * @param special whether control and user-defined tokens written out in the text, such as {@code <|im_end|>}, become
   *                that one token, as the checkpoint's own tokenizer has it; otherwise they are plain characters
   * @return ids, 0 to {@link #vocabularySize()} - 1; empty for an empty text
   * @throws IllegalArgumentException if the text holds an unpaired surrogate; the message gives its index in chars
   */
  public int[] encode(CharSequence text, boolean special) {
    String string = text.toString();
    char[] chars = string.toCharArray();
    requirePairedSurrogates(chars);
    Ids ids = new Ids(chars.length / 3);
    Symbols symbols = new Symbols(merges);
    if (!special) {
      encode(chars, 0, chars.length, symbols, ids);
      return ids.toArray();
    }
    for (int from = 0; from < chars.length; ) {
      int place = added.find(string, from);
      encode(chars, from, place, symbols, ids);
      if (place == chars.length) {
        break;
      }
      Added token = added.at(string, place);
      ids.add(token.id());
      from = place + token.text().length();
    }
    return ids.toArray();
  }

  /**
   * A token's text as the model file has it: normal tokens in GPT-2's byte spelling (U+0120 is a space).
   *
   * @throws IndexOutOfBoundsException if {@code id} is not 0 to {@link #vocabularySize()} - 1
   */
  public String piece(int id) {
    return tokens[id];
  }

  /**
   * A token's text: the bytes that {@link #piece} spells, read as UTF-8, where a part of a character becomes U+FFFD; special
   * and other added tokens as they are.
   *
   * @throws IndexOutOfBoundsException as {@link #piece}
   */
  public String text(int id) {
    return ByteSpelling.text(tokens[id]);
  }

  /** The number of tokens, unused ones included. */
  public int vocabularySize() {
    return tokens.length;
  }

  private void encode(char[] chars, int from, int to, Symbols symbols, Ids ids) {
    char[] normalized = Nfc.normalize(chars, from, to);
    if (normalized != null) {
      encodeNormalized(normalized, 0, normalized.length, symbols, ids);
    } else {
      encodeNormalized(chars, from, to, symbols, ids);
    }
  }

  private void encodeNormalized(char[] chars, int from, int to, Symbols symbols, Ids ids) {
    for (int end; from < to; from = end) {
      end = PreTokenizer.pieceEnd(chars, from, to);
      if (end - from > Words.MAX_LENGTH) {
        merge(chars, from, end, symbols, ids);
        continue;
      }
      int slot = Words.slot(chars, from, end);
      if (!words.find(slot, chars, from, end, ids)) {
        int start = ids.size();
        merge(chars, from, end, symbols, ids);
        words.put(slot, chars, from, end, ids, start);
      }
    }
  }

  /** Merges one piece from its UTF-8 bytes up. */
  private void merge(char[] chars, int from, int to, Symbols symbols, Ids ids) {
    symbols.clear();
    for (int at = from; at < to; at++) {
      char c = chars[at];
      if (c < 0x80) {
        symbols.add(byteIds[c]);
      } else if (c < 0x800) {
        symbols.add(byteIds[0xC0 | c >> 6]);
        symbols.add(byteIds[0x80 | c & 0x3F]);
      } else if (Character.isHighSurrogate(c)) {
        int codePoint = Character.toCodePoint(c, chars[++at]);
        symbols.add(byteIds[0xF0 | codePoint >> 18]);
        symbols.add(byteIds[0x80 | codePoint >> 12 & 0x3F]);
        symbols.add(byteIds[0x80 | codePoint >> 6 & 0x3F]);
        symbols.add(byteIds[0x80 | codePoint & 0x3F]);
      } else {
        symbols.add(byteIds[0xE0 | c >> 12]);
        symbols.add(byteIds[0x80 | c >> 6 & 0x3F]);
        symbols.add(byteIds[0x80 | c & 0x3F]);
      }
    }
    symbols.mergeInto(ids);
  }

  private static void requirePairedSurrogates(char[] chars) {
    for (int i = 0; i < chars.length; i++) {
      if (Character.isSurrogate(chars[i])) {
        if (i + 1 == chars.length || !Character.isSurrogatePair(chars[i], chars[i + 1])) {
          throw new IllegalArgumentException(String.format(
              "the text has an unpaired surrogate, U+%04X, at char %d", (int) chars[i], i));
        }
        i++;
      }
    }
  }

  /** A text from a model file for a message: in quotes, what is not printable ASCII escaped, cut if it is long. */
  static String quoted(String text) {
    if (text == null) {
      return "null";
    }
    StringBuilder quoted = new StringBuilder("\"");
    for (int i = 0; i < text.length() && i < 60; i++) {
      char c = text.charAt(i);
      quoted.append(c >= ' ' && c <= '~' ? String.valueOf(c) : String.format("\\u%04X", (int) c));
    }
    return quoted.append(text.length() > 60 ? "...\"" : "\"").toString();
  }
}
