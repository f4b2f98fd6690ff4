package io.embed4j.prompt;

import io.embed4j.EmbeddingException;
import io.embed4j.Prompt;
import io.embed4j.Task;

/** The words the model was trained with in front of a text; they are tokenised together with it. */
public final class TextPrompt {
  private TextPrompt() {}

  /**
   * "Query: " or "Passage: " and the text; text-matching always uses "Query: ".
   *
   * @throws EmbeddingException {@link EmbeddingException#INVALID_ARGUMENT} at an unpaired surrogate, naming its index
   */
  public static String of(Task task, Prompt prompt, String text) {
    checkPaired(text);
    return prefix(task, prompt) + text;
  }

  /** The words alone. */
  public static String prefix(Task task, Prompt prompt) {
    boolean passage = prompt == Prompt.PASSAGE && task != Task.TEXT_MATCHING;
    return passage ? "Passage: " : "Query: ";
  }

  /** Refuses an unpaired surrogate, naming its index. */
  public static void checkPaired(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (!Character.isSurrogate(c)) continue;
      if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
        continue;
      }
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT,
          String.format("unpaired surrogate U+%04X at index %d of the text", (int) c, i));
    }
  }
}
