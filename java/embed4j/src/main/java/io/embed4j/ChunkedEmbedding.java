package io.embed4j;

import java.util.List;
import java.util.Optional;

/**
 * The vectors of late chunking: one per text or span, in the order of the request, all from one pass. Immutable.
 *
 * @param chunks each of length 1; {@link DenseEmbedding#tokens} counts the chunk's own tokens
 * @param tokens embedded in all, prompt included
 */
public record ChunkedEmbedding(List<DenseEmbedding> chunks, int tokens) implements Embedding {

  /** Copies the list. */
  public ChunkedEmbedding {
    chunks = List.copyOf(chunks);
  }

  @Override
  public boolean truncated() {
    return false;
  }

  @Override
  public Optional<PatchGrid> grid() {
    return Optional.empty();
  }
}
