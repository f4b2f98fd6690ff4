package io.embed4j;

import io.embed4j.batch.Sequence;

/**
 * A request whose text is tokenised, or whose picture is decoded and cut into patches: what remains is the model's own
 * work. For callers that make requests ready on other threads while a batch runs, or that pack batches themselves; see
 * {@link EmbeddingModel#prepare}. Immutable, and good for the model that prepared it only.
 */
public final class PreparedRequest {
  private final Preparation owner;
  private final Sequence sequence;
  private final Usage usage;
  private final int dimensions;
  private final boolean multiVector;
  private final boolean chunked;

  /**
   * Of a request.
   *
   * @param usage what its embedding will say of itself
   * @param dimensions of its dense vectors
   */
  PreparedRequest(Preparation owner, Sequence sequence, Usage usage, int dimensions, boolean multiVector, boolean chunked) {
    this.owner = owner;
    this.sequence = sequence;
    this.usage = usage;
    this.dimensions = dimensions;
    this.multiVector = multiVector;
    this.chunked = chunked;
  }

  /** Tokens of the sequence, prompt and image tokens included: what it counts in a batch. */
  public int tokens() {
    return sequence.length();
  }

  /** 14 x 14 pixel patches of the picture; 0 for a text. Each keeps 4,704 bytes of the heap until it is embedded. */
  public int patches() {
    return sequence.image() == null ? 0 : sequence.image().grid().patches();
  }

  Preparation owner() {
    return owner;
  }

  Sequence sequence() {
    return sequence;
  }

  Usage usage() {
    return usage;
  }

  int dimensions() {
    return dimensions;
  }

  boolean multiVector() {
    return multiVector;
  }

  boolean chunked() {
    return chunked;
  }
}
