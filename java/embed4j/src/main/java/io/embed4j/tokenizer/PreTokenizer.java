package io.embed4j.tokenizer;

import static io.embed4j.tokenizer.CodePoints.LETTER;
import static io.embed4j.tokenizer.CodePoints.NEWLINE;
import static io.embed4j.tokenizer.CodePoints.NUMBER;
import static io.embed4j.tokenizer.CodePoints.OTHER;
import static io.embed4j.tokenizer.CodePoints.SPACE;

/**
 * Cuts text into the pieces that merges never cross: Qwen2's pattern, scanned by hand, each alternative where a
 * backtracking engine would try it.
 *
 * <pre>{@code
 * (?i:'s|'t|'re|'ve|'m|'ll|'d)      contraction
 * [^\r\n\p{L}\p{N}]?\p{L}+          letters, after at most one code point that is no letter, number, CR or LF
 * \p{N}                             one number
 *  ?[^\s\p{L}\p{N}]+[\r\n]*         others, after at most one U+0020, with the CRs and LFs that follow
 * \s*[\r\n]+                        white space up to its last CR or LF
 * \s+(?!\S)                         white space, leaving the last for the word that follows
 * \s+                               white space
 * }</pre>
 *
 * <p>Case is ignored as Unicode's full case folding does, so {@code 's} also matches U+017F (long s); no other code
 * point beyond ASCII folds to a contraction. The text holds no unpaired surrogate. A piece is never empty, and scanning
 * a whole text is linear in its length.
 */
final class PreTokenizer {
  private PreTokenizer() {}

  /** The end of the piece that starts at {@code from}, for text in {@code chars[..limit)}, {@code from < limit}. */
  static int pieceEnd(char[] chars, int from, int limit) {
    char first = chars[from];
    if (first == '\'') {
      int end = contractionEnd(chars, from + 1, limit);
      if (end >= 0) {
        return end;
      }
    }
    int second = from + width(first);
    int kind = classAt(chars, from);
    if (kind == LETTER) {
      return lettersEnd(chars, second, limit);
    }
    if (kind == NUMBER) {
      return second;
    }
    int next = second < limit ? classAt(chars, second) : SPACE;
    if (kind != NEWLINE && next == LETTER) {
      return lettersEnd(chars, second, limit);
    }
    if (kind == OTHER) {
      return othersEnd(chars, second, limit);
    }
    if (first == ' ' && next == OTHER) {
      return othersEnd(chars, second, limit);
    }
    return spacesEnd(chars, from, limit);
  }

  /** The end of the contraction whose apostrophe lies before {@code at}, or -1. */
  private static int contractionEnd(char[] chars, int at, int limit) {
    if (at >= limit) {
      return -1;
    }
    int following = at + 1 < limit ? lowerCase(chars[at + 1]) : 0;
    return switch (lowerCase(chars[at])) {
      case 's', '\u017F', 't', 'm', 'd' -> at + 1;
      case 'r', 'v' -> following == 'e' ? at + 2 : -1;
      case 'l' -> following == 'l' ? at + 2 : -1;
      default -> -1;
    };
  }

  private static int lettersEnd(char[] chars, int at, int limit) {
    while (at < limit && classAt(chars, at) == LETTER) {
      at += width(chars[at]);
    }
    return at;
  }

  private static int othersEnd(char[] chars, int at, int limit) {
    while (at < limit && classAt(chars, at) == OTHER) {
      at += width(chars[at]);
    }
    while (at < limit && classAt(chars, at) == NEWLINE) {
      at++;
    }
    return at;
  }

  /** All white space is in the Basic Multilingual Plane: one char each. */
  private static int spacesEnd(char[] chars, int from, int limit) {
    int at = from;
    int afterNewline = from;
    for (; at < limit; at++) {
      int kind = classAt(chars, at);
      if (kind == NEWLINE) {
        afterNewline = at + 1;
      } else if (kind != SPACE) {
        break;
      }
    }
    if (afterNewline > from) {
      return afterNewline;
    }
    return at == limit || at == from + 1 ? at : at - 1;
  }

  private static int classAt(char[] chars, int at) {
    char c = chars[at];
    return CodePoints.classOf(Character.isHighSurrogate(c) ? Character.toCodePoint(c, chars[at + 1]) : c);
  }

  private static int width(char first) {
    return Character.isHighSurrogate(first) ? 2 : 1;
  }

  private static int lowerCase(char c) {
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
  }
}
