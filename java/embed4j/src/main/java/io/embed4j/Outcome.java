package io.embed4j;

/** What became of one item of a batch: an item that fails leaves the others alone. */
public sealed interface Outcome {

  /** The item was embedded. */
  record Success(Embedding embedding) implements Outcome {}

  /** The item could not be embedded. */
  record Failure(EmbeddingException error) implements Outcome {}

  /**
   * The embedding, or the error thrown.
   *
   * @throws EmbeddingException of this item
   */
  default Embedding orThrow() {
    return switch (this) {
      case Success success -> success.embedding();
      case Failure failure -> throw failure.error();
    };
  }
}
