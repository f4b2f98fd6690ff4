package io.embed4j;

import java.util.Arrays;
import java.util.stream.Collectors;

/** What an embedding is for: the model has one adapter per task, and vectors of different tasks are not comparable. */
public enum Task {
  /** Finding the passages that answer a query: embed one side as {@link Prompt#QUERY}, the other as a passage. */
  RETRIEVAL("retrieval"),
  /** How alike two texts are; both sides are embedded alike. */
  TEXT_MATCHING("text-matching"),
  /** Finding code by a question, or by other code. */
  CODE("code");

  private final String label;

  Task(String label) {
    this.label = label;
  }

  /** The checkpoint's name of the task: retrieval, text-matching or code. */
  public String label() {
    return label;
  }

  /**
   * The task of a label.
   *
   * @throws EmbeddingException {@link EmbeddingException#INVALID_ARGUMENT} naming the known labels
   */
  public static Task of(String label) {
    return Arrays.stream(values()).filter(task -> task.label.equals(label)).findFirst()
        .orElseThrow(() -> new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, "unknown task \"" + label
            + "\", expected one of " + Arrays.stream(values()).map(Task::label).collect(Collectors.joining(", "))));
  }

  @Override
  public String toString() {
    return label;
  }
}
