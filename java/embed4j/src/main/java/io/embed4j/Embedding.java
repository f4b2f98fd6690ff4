package io.embed4j;

/** The result of one request: dense, or one vector per token. Immutable. */
public sealed interface Embedding permits DenseEmbedding, MultiVectorEmbedding {

  /** Tokens that were embedded, prompt included. */
  int tokens();

  /** True when the text was cut to its limit, which happens only on request. */
  boolean truncated();

  /**
   * This as a dense embedding.
   *
   * @throws IllegalStateException when the request asked for multi-vector
   */
  default DenseEmbedding dense() {
    if (this instanceof DenseEmbedding dense) return dense;
    throw new IllegalStateException("the request asked for a multi-vector embedding");
  }

  /**
   * This as a multi-vector embedding.
   *
   * @throws IllegalStateException when the request asked for dense
   */
  default MultiVectorEmbedding multiVector() {
    if (this instanceof MultiVectorEmbedding multiVector) return multiVector;
    throw new IllegalStateException("the request asked for a dense embedding");
  }
}
