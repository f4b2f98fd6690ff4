package io.embed4j;

import io.embed4j.pooling.Similarity;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;

/** One vector of Euclidean length 1 per token, for late interaction. Immutable. */
public final class MultiVectorEmbedding implements Embedding {
  private final float[] vectors; // [rows][dimensions]
  private final int dimensions;
  private final Usage usage;

  MultiVectorEmbedding(float[] vectors, int dimensions, Usage usage) {
    this.vectors = vectors;
    this.dimensions = dimensions;
    this.usage = usage;
  }

  /** Vectors: one per token, prompt included. */
  public int rows() {
    return vectors.length / dimensions;
  }

  /** Entries of each vector. */
  public int dimensions() {
    return dimensions;
  }

  /** A copy of one vector, [dimensions]. */
  public float[] row(int index) {
    Objects.checkIndex(index, rows());
    return Arrays.copyOfRange(vectors, index * dimensions, (index + 1) * dimensions);
  }

  /** A copy of all vectors, [rows][dimensions]. */
  public float[][] toArrays() {
    float[][] rows = new float[rows()][];
    for (int i = 0; i < rows.length; i++) rows[i] = row(i);
    return rows;
  }

  /** All vectors without copying: a read-only view, [rows][dimensions] float32, native byte order. */
  public MemorySegment segment() {
    return MemorySegment.ofArray(vectors).asReadOnly();
  }

  /**
   * MaxSim of this query against a document: for each vector of this the best match in the document, summed;
   * -rows .. rows.
   *
   * @throws IllegalArgumentException when the sizes of the vectors differ
   */
  public double maxSim(MultiVectorEmbedding document) {
    if (dimensions != document.dimensions) {
      throw new IllegalArgumentException("vectors of " + dimensions + " and " + document.dimensions + " dimensions");
    }
    return Similarity.maxSim(vectors, document.vectors, dimensions);
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
    return "MultiVectorEmbedding[rows=" + rows() + ", dimensions=" + dimensions + ", tokens=" + usage.tokens() + "]";
  }
}
