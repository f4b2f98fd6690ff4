package io.embed4j;

import java.util.Objects;

/**
 * One text to embed and how. Immutable: each setting returns a changed copy, so a request serves as a template.
 *
 * {@snippet :
 * EmbeddingRequest passage = EmbeddingRequest.text("Mars is red.").prompt(Prompt.PASSAGE).dimensions(128);
 * }
 *
 * <p>A request is checked against the model when it is embedded, not here.
 */
public final class EmbeddingRequest {
  private final String text;
  private final Task task;
  private final Prompt prompt;
  private final int dimensions;
  private final boolean multiVector;
  private final int maxTokens;
  private final boolean truncate;
  private final boolean specialTokens;

  private EmbeddingRequest(String text, Task task, Prompt prompt, int dimensions, boolean multiVector, int maxTokens,
      boolean truncate, boolean specialTokens) {
    this.text = Objects.requireNonNull(text, "text");
    this.task = Objects.requireNonNull(task, "task");
    this.prompt = Objects.requireNonNull(prompt, "prompt");
    this.dimensions = dimensions;
    this.multiVector = multiVector;
    this.maxTokens = maxTokens;
    this.truncate = truncate;
    this.specialTokens = specialTokens;
  }

  /** A dense embedding of a text at full size: task retrieval, prompt query. Empty text is allowed. */
  public static EmbeddingRequest text(String text) {
    return new EmbeddingRequest(text, Task.RETRIEVAL, Prompt.QUERY, 0, false, 0, false, false);
  }

  /** The task whose adapter is applied. */
  public EmbeddingRequest task(Task task) {
    return new EmbeddingRequest(text, task, prompt, dimensions, multiVector, maxTokens, truncate, specialTokens);
  }

  /** The side of the search. */
  public EmbeddingRequest prompt(Prompt prompt) {
    return new EmbeddingRequest(text, task, prompt, dimensions, multiVector, maxTokens, truncate, specialTokens);
  }

  /** The size of the dense vector: one of {@link ModelInfo#matryoshkaDims}, or 0 for the full size. */
  public EmbeddingRequest dimensions(int dimensions) {
    return new EmbeddingRequest(text, task, prompt, dimensions, multiVector, maxTokens, truncate, specialTokens);
  }

  /** True: one vector per token ({@link MultiVectorEmbedding}) in place of one for the whole text. */
  public EmbeddingRequest multiVector(boolean multiVector) {
    return new EmbeddingRequest(text, task, prompt, dimensions, multiVector, maxTokens, truncate, specialTokens);
  }

  /** The most tokens accepted, prompt included: 1 .. {@value EmbeddingModel#MAX_TOKENS}, or 0 for that limit. */
  public EmbeddingRequest maxTokens(int maxTokens) {
    return new EmbeddingRequest(text, task, prompt, dimensions, multiVector, maxTokens, truncate, specialTokens);
  }

  /** True: a text with too many tokens keeps the first of them; false: it is an error that gives the count. */
  public EmbeddingRequest truncate(boolean truncate) {
    return new EmbeddingRequest(text, task, prompt, dimensions, multiVector, maxTokens, truncate, specialTokens);
  }

  /**
   * True: {@code <|im_end|>} and the like inside the text become the checkpoint's special tokens, as its own tokenizer
   * does; false: they are ordinary characters, since text from a user is text.
   */
  public EmbeddingRequest specialTokens(boolean specialTokens) {
    return new EmbeddingRequest(text, task, prompt, dimensions, multiVector, maxTokens, truncate, specialTokens);
  }

  /** The text, without prompt. */
  public String text() {
    return text;
  }

  /** The task. */
  public Task task() {
    return task;
  }

  /** The side of the search. */
  public Prompt prompt() {
    return prompt;
  }

  /** The size asked for; 0: full. */
  public int dimensions() {
    return dimensions;
  }

  /** Whether a vector per token is asked for. */
  public boolean multiVector() {
    return multiVector;
  }

  /** The limit asked for; 0: the model's. */
  public int maxTokens() {
    return maxTokens;
  }

  /** Whether a long text is cut. */
  public boolean truncate() {
    return truncate;
  }

  /** Whether special tokens are recognised inside the text. */
  public boolean specialTokens() {
    return specialTokens;
  }
}
