package io.embed4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.tokenizer.Family.Case;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerTest {
  private static final Tokenizer TOKENIZER = Family.TOKENIZER;
  private static final int IM_END = 151_645;

  /** cases.json.gz: chosen texts; random-cases.json.gz: random ones of nasty parts. Both from tokenizers 0.23.2. */
  @ParameterizedTest
  @CsvSource({"cases.json.gz, 364", "random-cases.json.gz, 2400"})
  void idsAreThoseOfTheReference(String resource, int count) {
    List<Case> cases = Family.cases(resource);
    assertEquals(count, cases.size());
    for (Case example : cases) {
      assertArrayEquals(example.ids(), TOKENIZER.encode(example.text(), true), () -> "special: " + example.text());
      assertArrayEquals(
          example.literalIds(), TOKENIZER.encode(example.text(), false), () -> "plain: " + example.text());
    }
  }

  @Test
  void emptyTextHasNoIds() {
    assertEquals(0, TOKENIZER.encode("", true).length);
    assertEquals(0, TOKENIZER.encode("", false).length);
  }

  @Test
  void anyCharSequenceIsText() {
    assertArrayEquals(TOKENIZER.encode("two words", false), TOKENIZER.encode(new StringBuilder("two words"), false));
  }

  @Test
  void everyAddedTokenIsRecognisedOnlyWhenAsked() {
    int count = 0;
    for (int id = 0; id < Family.TOKENS.length; id++) {
      if (Family.TOKEN_TYPES[id] == 3 || Family.TOKEN_TYPES[id] == 4) {
        assertArrayEquals(new int[] {id}, TOKENIZER.encode(Family.TOKENS[id], true));
        assertTrue(TOKENIZER.encode(Family.TOKENS[id], false).length > 1);
        count++;
      }
    }
    assertEquals(22, count);
  }

  @Test
  void unusedTokensAreNeverRecognised() {
    assertTrue(TOKENIZER.encode("[PAD151935]", true).length > 1);
  }

  @Test
  void theLongestOfTheLeftmostAddedTokensWins() {
    Tokenizer tokenizer = bytes("<a", "<a>", "<a>b", "a>bc", "x<a");
    assertEquals(List.of("<a>b", "c"), pieces(tokenizer, "<a>bc"));
    assertEquals(List.of("<a", "<a>", ">"), pieces(tokenizer, "<a<a>>"));
    assertEquals(List.of("x<a", ">", "b"), pieces(tokenizer, "x<a>b"));
  }

  @Test
  void textAroundAnAddedTokenIsNormalisedByItself() {
    int[] ids = TOKENIZER.encode("e<|im_end|>\u0301", true);
    assertEquals(IM_END, ids[1]);
    assertArrayEquals(TOKENIZER.encode("\u0301", false), Arrays.copyOfRange(ids, 2, ids.length));
  }

  @ParameterizedTest
  @ValueSource(strings = {"ab\uD800", "ab\uDC00cd", "ab\uD83D\uD83D\uDE00", "ab\uDE00\uD83D"})
  void unpairedSurrogatesAreRefusedWithTheirPlace(String text) {
    for (boolean special : new boolean[] {true, false}) {
      Exception e = assertThrows(IllegalArgumentException.class, () -> TOKENIZER.encode(text, special));
      assertTrue(e.getMessage().contains("unpaired surrogate") && e.getMessage().endsWith("at char 2"), e.getMessage());
    }
  }

  /** In quadratic time this takes hours. */
  @Test
  void aMegabyteWithoutABreakIsNotQuadratic() {
    int million = 1_000_000;
    assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
      for (String text : List.of(
          "A".repeat(million),
          " ".repeat(million),
          "\n".repeat(million),
          "!?".repeat(million / 2),
          "\u6C34".repeat(million / 3),
          "a" + "\u0301\u0323".repeat(million / 4),
          "\u0F73".repeat(million / 3),
          "<|im_en".repeat(million / 7))) {
        byte[] bytes = Family.bytes(TOKENIZER.encode(text, false));
        if (Nfc.normalize(text.toCharArray(), 0, text.length()) == null) {
          assertArrayEquals(text.getBytes(StandardCharsets.UTF_8), bytes);
        }
      }
    });
  }

  /** The counts are the reference's. */
  @Test
  void aMegabyteWithoutABreakHasTheIdsOfTheReference() {
    int[] letters = TOKENIZER.encode("A".repeat(1_000_000), false);
    assertArrayEquals(repeated("AAAAAAAA", 125_000), letters);
    assertEquals(7_813, TOKENIZER.encode(" ".repeat(1_000_000), false).length);
    assertEquals(9_375, TOKENIZER.encode("\n".repeat(300_000), false).length);
  }

  private static int[] repeated(String token, int count) {
    int[] ids = new int[count];
    Arrays.fill(ids, Arrays.asList(Family.TOKENS).indexOf(token));
    return ids;
  }

  @Test
  void longRunsOfMarksAreNormalisedAsShortOnes() {
    Random random = new Random(7);
    String marks = "\u0300\u0301\u0323\u0327\u0345\u0334\u0344\u0F73\u0F71\u05B0\u3099\uD834\uDD65";
    int[] codePoints = marks.codePoints().toArray();
    for (int length = 1; length < 300; length++) {
      StringBuilder text = new StringBuilder("\u00E9");
      for (int i = 0; i < length; i++) {
        text.appendCodePoint(codePoints[random.nextInt(codePoints.length)]);
      }
      assertEquals(
          Normalizer.normalize(text, Normalizer.Form.NFC),
          new String(Family.bytes(TOKENIZER.encode(text, false)), StandardCharsets.UTF_8));
    }
  }

  @Test
  void manyThreadsGetTheSameIds() throws Exception {
    List<Case> cases = Stream.of("cases.json.gz", "random-cases.json.gz")
        .flatMap(resource -> Family.cases(resource).stream())
        .toList();
    Tokenizer shared = Tokenizer.of(Family.TOKENS, Family.TOKEN_TYPES, Family.MERGES);
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<Void>> results = new ArrayList<>();
      for (int thread = 0; thread < 16; thread++) {
        List<Case> shuffled = new ArrayList<>(cases);
        Collections.shuffle(shuffled, new Random(thread));
        results.add(threads.submit(() -> {
          for (Case example : shuffled) {
            assertArrayEquals(example.ids(), shared.encode(example.text(), true));
            assertArrayEquals(example.literalIds(), shared.encode(example.text(), false));
          }
          return null;
        }));
      }
      for (Future<Void> result : results) {
        result.get();
      }
    }
  }

  /** A vocabulary of the 256 bytes without merges, and added tokens. */
  private static Tokenizer bytes(String... added) {
    String[] tokens = new String[256 + added.length];
    int[] types = new int[tokens.length];
    for (int id = 0; id < tokens.length; id++) {
      tokens[id] = id < 256 ? String.valueOf(ByteSpelling.of(id)) : added[id - 256];
      types[id] = id < 256 ? 1 : 4;
    }
    return Tokenizer.of(tokens, types, new String[0]);
  }

  private static List<String> pieces(Tokenizer tokenizer, String text) {
    return Arrays.stream(tokenizer.encode(text, true)).mapToObj(tokenizer::piece).toList();
  }
}
