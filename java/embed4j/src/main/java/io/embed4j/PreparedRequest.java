package io.embed4j;

import io.embed4j.batch.Sequence;
import java.util.Arrays;
import java.util.List;

/**
 * A request whose text is tokenised, or whose picture is decoded and cut into patches: what remains is the model's own
 * work. For callers that make requests ready on other threads while a batch runs, or that pack batches themselves; see
 * {@link EmbeddingModel#prepare}. Immutable, and good for the model that prepared it only.
 */
public final class PreparedRequest {
  private final Preparation owner;
  private final Sequence sequence;
  private final Usage usage;
  private final boolean normalized;
  private final boolean multiVector;
  private final boolean chunked;

  /**
   * Of a request.
   *
   * @param usage what its embedding will say of itself
   * @param normalized whether its dense vectors are scaled to length 1
   */
  PreparedRequest(Preparation owner, Sequence sequence, Usage usage, boolean normalized, boolean multiVector, boolean chunked) {
    this.owner = owner;
    this.sequence = sequence;
    this.usage = usage;
    this.normalized = normalized;
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

  /**
   * The text of each token whose row a multi-vector has, in the order of its rows; of a dense request, of all its tokens.
   * A token that is part of a character gives U+FFFD.
   */
  public List<String> tokenTexts() {
    Sequence.Range rows = sequence.rows() == null ? new Sequence.Range(0, sequence.length()) : sequence.rows();
    return Arrays.stream(sequence.tokenIds(), rows.begin(), rows.end()).mapToObj(owner::tokenText).toList();
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

  boolean normalized() {
    return normalized;
  }

  boolean multiVector() {
    return multiVector;
  }

  boolean chunked() {
    return chunked;
  }
}
