package io.embed4j;

import java.util.Optional;

/** The result of one request: one vector, one per token, or one per chunk. Immutable. */
public sealed interface Embedding permits DenseEmbedding, MultiVectorEmbedding, ChunkedEmbedding {

  /** Tokens that were embedded, prompt included. */
  int tokens();

  /** True when the text was cut to its limit, which happens only on request. */
  boolean truncated();

  /** Of a picture: where its image tokens lie; empty for a text. */
  Optional<PatchGrid> grid();

  /** Image tokens among {@link #tokens}: 0 for a text. */
  default int imageTokens() {
    return grid().map(PatchGrid::tokens).orElse(0);
  }

  /**
   * This as a dense embedding.
   *
   * @throws IllegalStateException when the request asked for multi-vector
   */
  default DenseEmbedding dense() {
    if (this instanceof DenseEmbedding dense) return dense;
    throw new IllegalStateException("the request asked for " + getClass().getSimpleName());
  }

  /**
   * This as a multi-vector embedding.
   *
   * @throws IllegalStateException when the request asked for dense
   */
  default MultiVectorEmbedding multiVector() {
    if (this instanceof MultiVectorEmbedding multiVector) return multiVector;
    throw new IllegalStateException("the request asked for " + getClass().getSimpleName());
  }

  /**
   * This as the vectors of late chunking.
   *
   * @throws IllegalStateException when the request asked for another kind
   */
  default ChunkedEmbedding chunked() {
    if (this instanceof ChunkedEmbedding chunked) return chunked;
    throw new IllegalStateException("the request asked for " + getClass().getSimpleName());
  }
}
