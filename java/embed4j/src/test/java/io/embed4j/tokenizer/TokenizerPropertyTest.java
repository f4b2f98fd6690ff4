package io.embed4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;

/** What holds for every text, against plain restatements: the JDK's regular expressions, its NFC, and merges by list. */
class TokenizerPropertyTest {
  private static final Tokenizer TOKENIZER = Family.TOKENIZER;
  private static final int IM_END = 151_645;
  private static final Pattern PATTERN = Pattern.compile(
      "(?iu:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\p{IsWhite_Space}\\p{L}\\p{N}]+[\\r\\n]*"
          + "|\\p{IsWhite_Space}*[\\r\\n]+|\\p{IsWhite_Space}+(?!\\P{IsWhite_Space})|\\p{IsWhite_Space}+");
  private static final Map<String, Integer> RANKS = new HashMap<>();

  static {
    for (int rank = 0; rank < Family.MERGES.length; rank++) {
      RANKS.put(Family.MERGES[rank], rank);
    }
  }

  @Property
  void idsSpellTheNormalForm(@ForAll("texts") String text) {
    String normal = Normalizer.normalize(text, Normalizer.Form.NFC);
    assertArrayEquals(normal.getBytes(StandardCharsets.UTF_8), Family.bytes(TOKENIZER.encode(text, false)));
  }

  @Property
  void idsOfTheNormalFormAreThoseOfTheText(@ForAll("texts") String text) {
    String normal = Normalizer.normalize(text, Normalizer.Form.NFC);
    assertArrayEquals(TOKENIZER.encode(normal, false), TOKENIZER.encode(text, false));
  }

  @Property
  void piecesAreTheMatchesOfThePattern(@ForAll("texts") String text) {
    List<String> expected = new ArrayList<>();
    for (Matcher matcher = PATTERN.matcher(text); matcher.find(); ) {
      expected.add(matcher.group());
    }
    char[] chars = text.toCharArray();
    List<String> pieces = new ArrayList<>();
    for (int from = 0, end; from < chars.length; from = end) {
      end = PreTokenizer.pieceEnd(chars, from, chars.length);
      pieces.add(text.substring(from, end));
    }
    assertEquals(expected, pieces);
  }

  /** Up to 1,000 symbols: both sides of the length at which the heap takes over. */
  @Property(tries = 300)
  void wordsMergeAsByTheDefinition(@ForAll("words") String word) {
    List<String> expected = merged(word);
    List<String> pieces = Arrays.stream(TOKENIZER.encode(word, false)).mapToObj(TOKENIZER::piece).toList();
    assertEquals(expected, pieces);
  }

  @Property
  void anAddedTokenSeparatesTexts(@ForAll("texts") String before, @ForAll("texts") String after) {
    int[] expected = TOKENIZER.encode(before, true);
    int[] both = TOKENIZER.encode(before + "<|im_end|>" + after, true);
    int[] rest = TOKENIZER.encode(after, true);
    assertArrayEquals(expected, Arrays.copyOf(both, expected.length));
    assertEquals(IM_END, both[expected.length]);
    assertArrayEquals(rest, Arrays.copyOfRange(both, expected.length + 1, both.length));
  }

  @Property
  void aNumberStandsAlone(@ForAll("texts") String before, @ForAll("texts") String after) {
    int[] left = TOKENIZER.encode(before + "x", false);
    int[] right = TOKENIZER.encode("7" + after, false);
    int[] both = TOKENIZER.encode(before + "x7" + after, false);
    assertArrayEquals(left, Arrays.copyOf(both, left.length));
    assertArrayEquals(right, Arrays.copyOfRange(both, left.length, both.length));
  }

  @Property
  void ordinaryTextNeedsNoAddedTokens(@ForAll("texts") String text) {
    String plain = text.replace('<', '(');
    assertArrayEquals(TOKENIZER.encode(plain, false), TOKENIZER.encode(plain, true));
  }

  /** Texts of parts that meet in awkward ways; nothing that Unicode versions differ on. */
  @Provide
  Arbitrary<String> texts() {
    Arbitrary<String> codePoints = Arbitraries.integers()
        .between(0, Character.MAX_CODE_POINT)
        .filter(TokenizerPropertyTest::isTheSameInAllVersions)
        .map(Character::toString);
    Arbitrary<String> common = Arbitraries.integers()
        .between(0, 0x3FFF)
        .filter(TokenizerPropertyTest::isTheSameInAllVersions)
        .map(Character::toString);
    Arbitrary<String> awkward = Arbitraries.of(
        " ", "  ", "\t", "\r", "\n", "\r\n", "\u0085", "\u00A0", "\u2028", "\u3000", "'", "'s", "'S", "'\u017F",
        "'re", "'LL", "'l", "don't", "1", "\u0661", "\u00BD", "\u2167", "\uD835\uDFD8", "e\u0301", "\u0301\u0323",
        "\u1100\u1161\u11A8", "\uAC00", "\u212B", "\uD834\uDD5E", "\uD83D\uDC68\u200D\uD83D\uDC69", "\uFE0F", "!", "...",
        "<", "<|im_end", "|>", "\u0000", "\u007F", "word", "Wort", "\u6C34", "\u0E01\u0E49", "\u0915\u093C", "\u0958");
    return Arbitraries.frequencyOf(
            Tuple.of(6, awkward),
            Tuple.of(2, common),
            Tuple.of(1, codePoints))
        .list()
        .ofMaxSize(30)
        .map(parts -> String.join("", parts));
  }

  /** Letters without a break, some of them repeated so that equal pairs overlap. */
  @Provide
  Arbitrary<String> words() {
    return Arbitraries.of("a", "e", "A", "in", "the", "er", "tion", "st", "aa", "\u00E9", "\u6C34", "\u0442\u043E")
        .list()
        .ofMinSize(1)
        .ofMaxSize(250)
        .map(parts -> String.join("", parts));
  }

  private static boolean isTheSameInAllVersions(int codePoint) {
    return !(codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE)
        && (CodePoints.propertiesOf(codePoint) & CodePoints.LATER) == 0
        && Character.getType(codePoint) != Character.UNASSIGNED;
  }

  private static List<String> merged(String word) {
    List<String> symbols = new ArrayList<>();
    for (byte value : word.getBytes(StandardCharsets.UTF_8)) {
      symbols.add(String.valueOf(ByteSpelling.of(Byte.toUnsignedInt(value))));
    }
    while (true) {
      int best = -1;
      int bestRank = Integer.MAX_VALUE;
      for (int i = 0; i + 1 < symbols.size(); i++) {
        int rank = RANKS.getOrDefault(symbols.get(i) + " " + symbols.get(i + 1), Integer.MAX_VALUE);
        if (rank < bestRank) {
          bestRank = rank;
          best = i;
        }
      }
      if (best < 0) {
        return symbols;
      }
      symbols.set(best, symbols.get(best) + symbols.remove(best + 1));
    }
  }
}
