package io.embed4j.tokenizer;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Finds added tokens such as {@code <|im_end|>} in text: the leftmost first, the longest of those that start at one
 * place. Immutable; thread-safe.
 */
final class AddedTokens {
  /** An added token's text and id. */
  record Added(String text, int id) {}

  private final Map<Character, List<Added>> byFirst = new HashMap<>(); // the longest first
  private final boolean[] starts = new boolean[Character.MAX_VALUE + 1];

  AddedTokens(List<Added> tokens) {
    for (Added token : tokens) {
      byFirst.computeIfAbsent(token.text().charAt(0), first -> new ArrayList<>()).add(token);
      starts[token.text().charAt(0)] = true;
    }
    byFirst.values().forEach(list -> list.sort(Comparator.comparingInt((Added token) -> -token.text().length())));
  }

  /** The first place in {@code [from..text.length())} where an added token starts, or the text's length. */
  int find(String text, int from) {
    for (int at = from; at < text.length(); at++) {
      if (starts[text.charAt(at)] && at(text, at) != null) {
        return at;
      }
    }
    return text.length();
  }

  /** The longest added token at a place, or {@code null}. */
  Added at(String text, int place) {
    for (Added token : byFirst.getOrDefault(text.charAt(place), List.of())) {
      if (text.startsWith(token.text(), place)) {
        return token;
      }
    }
    return null;
  }
}
