package io.embed4j;

import java.util.Arrays;
import java.util.stream.Collectors;

/** Which side of a search a text stands on; {@link Task#TEXT_MATCHING} knows only one side and always uses QUERY. */
public enum Prompt {
  /** What is searched for. */
  QUERY("query"),
  /** What is searched in. */
  PASSAGE("passage");

  private final String label;

  Prompt(String label) {
    this.label = label;
  }

  /** The name used on the command line: query or passage. */
  public String label() {
    return label;
  }

  /**
   * The prompt of a label.
   *
   * @throws EmbeddingException {@link EmbeddingException#INVALID_ARGUMENT} naming the known labels
   */
  public static Prompt of(String label) {
    return Arrays.stream(values()).filter(prompt -> prompt.label.equals(label)).findFirst()
        .orElseThrow(() -> new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, "unknown prompt \"" + label
            + "\", expected one of " + Arrays.stream(values()).map(Prompt::label).collect(Collectors.joining(", "))));
  }

  @Override
  public String toString() {
    return label;
  }
}
