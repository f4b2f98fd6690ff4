package io.embed4j;

import io.embed4j.pooling.Matryoshka;
import io.embed4j.pooling.Similarity;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;

/** One vector for a whole text, of Euclidean length 1 unless {@link EmbeddingRequest#normalized} was false. Immutable. */
public final class DenseEmbedding implements Embedding {
  private final float[] vector;
  private final boolean normalized;
  private final Matryoshka sizes;
  private final Usage usage;

  DenseEmbedding(float[] vector, boolean normalized, Matryoshka sizes, Usage usage) {
    this.vector = vector;
    this.normalized = normalized;
    this.sizes = sizes;
    this.usage = usage;
  }

  /** Entries of the vector. */
  public int dimensions() {
    return vector.length;
  }

  /** A copy of the vector, [dimensions]. */
  public float[] toArray() {
    return vector.clone();
  }

  /** The vector without copying: a read-only view of dimensions * 4 bytes, native byte order. */
  public MemorySegment segment() {
    return MemorySegment.ofArray(vector).asReadOnly();
  }

  /**
   * The first entries, scaled to length 1 again if this is: what a request with {@code dimensions} gives, without embedding anew
   * (equal within float32 rounding).
   *
   * @param dimensions one of the model's sizes, not above this one's
   * @throws EmbeddingException {@link EmbeddingException#INVALID_ARGUMENT} naming the model's sizes
   */
  public DenseEmbedding truncate(int dimensions) {
    sizes.check(dimensions, vector.length);
    if (dimensions == vector.length) return this;
    float[] cut = normalized ? Matryoshka.unit(vector, dimensions) : Arrays.copyOf(vector, dimensions);
    return new DenseEmbedding(cut, normalized, sizes, usage);
  }

  /**
   * The cosine similarity, -1 .. 1.
   *
   * @throws IllegalArgumentException when the sizes differ
   */
  public double cosine(DenseEmbedding other) {
    if (vector.length != other.vector.length) {
      throw new IllegalArgumentException("vectors of " + vector.length + " and " + other.vector.length + " dimensions");
    }
    return Similarity.cosine(vector, other.vector);
  }

  @Override
  public int tokens() {
    return usage.tokens();
  }

  @Override
  public boolean truncated() {
    return usage.truncated();
  }

  @Override
  public Optional<PatchGrid> grid() {
    return usage.grid();
  }

  @Override
  public String toString() {
    return "DenseEmbedding[dimensions=" + vector.length + ", tokens=" + usage.tokens() + "]";
  }
}
