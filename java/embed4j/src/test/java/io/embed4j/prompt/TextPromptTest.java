package io.embed4j.prompt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import io.embed4j.Prompt;
import io.embed4j.Task;
import org.junit.jupiter.api.Test;

class TextPromptTest {
  @Test
  void textMatchingKnowsOneSideOnly() {
    assertEquals("Query: x", TextPrompt.of(Task.RETRIEVAL, Prompt.QUERY, "x"));
    assertEquals("Passage: x", TextPrompt.of(Task.RETRIEVAL, Prompt.PASSAGE, "x"));
    assertEquals("Passage: ", TextPrompt.of(Task.CODE, Prompt.PASSAGE, ""));
    assertEquals("Query: x", TextPrompt.of(Task.TEXT_MATCHING, Prompt.PASSAGE, "x"));
  }

  @Test
  void anUnpairedSurrogateIsNamedByItsPlaceInTheText() {
    assertEquals("Query: \uD83D\uDE00", TextPrompt.of(Task.RETRIEVAL, Prompt.QUERY, "\uD83D\uDE00"));
    for (String text : new String[] {"ab\uD83D", "ab\uDE00", "ab\uD83Dc", "ab\uD83D\uD83D\uDE00"}) {
      EmbeddingException e =
          assertThrows(EmbeddingException.class, () -> TextPrompt.of(Task.RETRIEVAL, Prompt.QUERY, text));
      assertEquals(EmbeddingException.INVALID_ARGUMENT, e.code());
      assertTrue(e.getMessage().contains("index 2"), e.getMessage());
    }
  }
}
