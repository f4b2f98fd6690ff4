package io.embed4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Metadata from a stranger's file: each fault is refused, saying where it is, what was found and what expected. */
class TokenizerInputTest {
  private String[] tokens = new String[258]; // the bytes, "ab" and "<end>"
  private int[] types = new int[258];
  private String[] merges = {"a b"};

  TokenizerInputTest() {
    Arrays.setAll(tokens, id -> id < 256 ? String.valueOf(ByteSpelling.of(id)) : id == 256 ? "ab" : "<end>");
    Arrays.fill(types, 1);
    types[257] = 3;
  }

  @Test
  void soundMetadataIsTaken() {
    Tokenizer tokenizer = Tokenizer.of(tokens, types, merges);
    assertEquals("[256, 99, 257]", Arrays.toString(tokenizer.encode("abc<end>", true)));
    assertEquals(258, tokenizer.vocabularySize());
    assertEquals("ab", tokenizer.piece(256));
  }

  @Test
  void laterChangesOfTheArraysDoNotReachTheTokenizer() {
    Tokenizer tokenizer = Tokenizer.of(tokens, types, merges);
    tokens[256] = "changed";
    assertEquals("ab", tokenizer.piece(256));
  }

  @Test
  void noTokens() {
    tokens = new String[0];
    types = new int[0];
    refused("tokens has 0 entries, expected 1 to 1048576");
  }

  @Test
  void tooManyTokens() {
    tokens = new String[(1 << 20) + 1];
    refused("tokens has 1048577 entries, expected 1 to 1048576");
  }

  @Test
  void otherNumberOfTypes() {
    types = new int[3];
    refused("tokenTypes has 3 entries, expected one for each of the 258 tokens");
  }

  @Test
  void tooManyMerges() {
    merges = new String[(1 << 22) + 1];
    refused("merges has 4194305 entries, expected at most 4194304");
  }

  @Test
  void unknownType() {
    types[7] = 0;
    refused("tokenTypes[7] is 0, expected 1 to 6");
    types[7] = 7;
    refused("tokenTypes[7] is 7, expected 1 to 6");
  }

  @Test
  void repeatedToken() {
    tokens[257] = "ab";
    refused("tokens[257] repeats tokens[256], \"ab\"");
  }

  @Test
  void missingToken() {
    tokens[257] = null;
    refused("tokens[257] is null, expected a text");
    tokens[257] = "";
    refused("tokens[257] is \"\", expected a text");
  }

  @Test
  void missingByte() {
    tokens[' '] = "space";
    refused("tokens has no \"\\u0120\" for byte 0x20");
  }

  @Test
  void malformedMerge() {
    for (String merge : new String[] {"ab", " ab", "ab ", "a  b", "a b c", ""}) {
      merges[0] = merge;
      refused("merges[0] is \"" + merge + "\", expected two token texts with one space between them");
    }
    merges[0] = null;
    refused("merges[0] is null, expected two token texts with one space between them");
  }

  @Test
  void mergeOfUnknownTokens() {
    merges[0] = "abc d";
    refused("merges[0]: its left part \"abc\" is not among the tokens");
    merges[0] = "d abc";
    refused("merges[0]: its right part \"abc\" is not among the tokens");
    merges[0] = "b a";
    refused("merges[0]: its result \"ba\" is not among the tokens");
  }

  @Test
  void repeatedMerge() {
    merges = new String[] {"a b", "a b"};
    refused("merges[1] repeats merges[0]");
  }

  @Test
  void longOrUnprintableTextsAreCutAndEscapedInMessages() {
    merges[0] = "\u202E\n".repeat(1000);
    String message = refused("merges[0] is \"\\u202E\\u000A");
    assertTrue(message.length() < 500 && message.contains("...\""), message);
  }

  private String refused(String start) {
    String message = assertThrows(IllegalArgumentException.class, () -> Tokenizer.of(tokens, types, merges)).getMessage();
    assertTrue(message.startsWith(start), message);
    return message;
  }
}
