package io.embed4j.server;

import io.embed4j.EmbeddingException;
import io.embed4j.Prompt;
import io.embed4j.Task;
import java.util.Arrays;
import java.util.stream.Collectors;

/** A task and a side of it in one word, as Jina's API spells it. The bare retrieval and code are refused, as they are there. */
enum TaskName {
  TEXT_MATCHING("text-matching", Task.TEXT_MATCHING, Prompt.QUERY),
  RETRIEVAL_QUERY("retrieval.query", Task.RETRIEVAL, Prompt.QUERY),
  RETRIEVAL_PASSAGE("retrieval.passage", Task.RETRIEVAL, Prompt.PASSAGE),
  CODE_QUERY("code.query", Task.CODE, Prompt.QUERY),
  CODE_PASSAGE("code.passage", Task.CODE, Prompt.PASSAGE);

  private final String label;
  private final Task task;
  private final Prompt prompt;

  TaskName(String label, Task task, Prompt prompt) {
    this.label = label;
    this.task = task;
    this.prompt = prompt;
  }

  Task task() {
    return task;
  }

  Prompt prompt() {
    return prompt;
  }

  static TaskName of(String label) {
    return Arrays.stream(values()).filter(name -> name.label.equals(label)).findFirst().orElseThrow(() ->
        new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, "unknown task, expected one of "
            + Arrays.stream(values()).map(name -> name.label).collect(Collectors.joining(", "))));
  }

  /** The name a model that serves one task only is asked by, when a request names none. */
  static TaskName passage(Task task) {
    return switch (task) {
      case TEXT_MATCHING -> TEXT_MATCHING;
      case RETRIEVAL -> RETRIEVAL_PASSAGE;
      case CODE -> CODE_PASSAGE;
    };
  }

  @Override
  public String toString() {
    return label;
  }
}
