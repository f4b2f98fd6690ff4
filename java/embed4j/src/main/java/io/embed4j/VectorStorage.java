package io.embed4j;

import io.embed4j.ffm.LateInteraction;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * How the rows of multi-vectors are stored for {@link MaxSim}. Rows follow one another without padding, so stored
 * multi-vectors are joined by joining their bytes; numbers are little-endian. What each form loses is measured in
 * {@code bench/results}. Thread-safe.
 */
public enum VectorStorage {
  /** dimensions float32 values: 512 bytes for 128 dimensions, nothing lost. */
  FLOAT32,

  /**
   * A float32 scale (the row's largest magnitude / 127), then dimensions int8 values in -127 .. 127: 132 bytes for 128
   * dimensions. Each value is off by at most half a scale.
   */
  INT8,

  /**
   * One bit per value, 1 for greater than 0, the first value in the highest bit of the first byte, as
   * {@code numpy.packbits(x > 0)} and the {@code ubinary} type of embedding services lay them: 16 bytes for 128
   * dimensions. A bit stands for +-1 / sqrt(dimensions).
   */
  BINARY;

  /** The number of this form in embed4j.h. */
  int id() {
    return ordinal();
  }

  /**
   * Bytes of one row.
   *
   * @param dimensions 1 .. 4096
   */
  public long rowBytes(int dimensions) {
    return LateInteraction.rowBytes(id(), dimensions);
  }

  /**
   * float32 rows to this form, without copying: both segments are native memory.
   *
   * @param vectors [rows][dimensions] float32, at least one row, finite
   * @param stored rows * {@link #rowBytes} bytes, written
   * @throws EmbeddingException {@link EmbeddingException#INVALID_ARGUMENT} naming the row that is not finite or the size
   *     that does not fit
   */
  public void encode(MemorySegment vectors, int dimensions, MemorySegment stored) {
    long rows = rows("vectors", vectors.byteSize(), FLOAT32.rowBytes(dimensions));
    LateInteraction.encode(id(), vectors, rows, dimensions, stored);
  }

  /**
   * Rows of this form to the float32 values they stand for, without copying: both segments are native memory.
   *
   * @param stored rows * {@link #rowBytes} bytes, at least one row
   * @param vectors [rows][dimensions] float32, written
   * @throws EmbeddingException {@link EmbeddingException#INVALID_ARGUMENT} for sizes that do not fit, or naming the INT8
   *     row whose scale is negative or not finite
   */
  public void decode(MemorySegment stored, int dimensions, MemorySegment vectors) {
    long rows = rows("stored", stored.byteSize(), rowBytes(dimensions));
    LateInteraction.decode(id(), stored, rows, dimensions, vectors);
  }

  /** The rows of an embedding in this form, in its order. */
  public byte[] encode(MultiVectorEmbedding embedding) {
    return encode(embedding.segment(), embedding.dimensions());
  }

  /** As {@link #encode(MemorySegment, int, MemorySegment)}, from [rows][dimensions] on the heap. */
  public byte[] encode(float[] vectors, int dimensions) {
    return encode(MemorySegment.ofArray(vectors), dimensions);
  }

  private byte[] encode(MemorySegment heap, int dimensions) {
    long rows = rows("vectors", heap.byteSize(), FLOAT32.rowBytes(dimensions));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment stored = arena.allocate(rows * rowBytes(dimensions), Float.BYTES);
      encode(copy(heap, arena), dimensions, stored);
      return stored.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  /** As {@link #decode(MemorySegment, int, MemorySegment)}, to [rows][dimensions] on the heap. */
  public float[] decode(byte[] stored, int dimensions) {
    long rows = rows("stored", stored.length, rowBytes(dimensions));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment vectors = arena.allocate(ValueLayout.JAVA_FLOAT, Math.multiplyExact(rows, (long) dimensions));
      decode(copy(MemorySegment.ofArray(stored), arena), dimensions, vectors);
      return vectors.toArray(ValueLayout.JAVA_FLOAT);
    }
  }

  /** A heap array in native memory, aligned for float32. */
  static MemorySegment copy(MemorySegment heap, Arena arena) {
    return arena.allocate(heap.byteSize(), Float.BYTES).copyFrom(heap);
  }

  /** Whole rows in so many bytes, at least one. */
  static long rows(String name, long bytes, long rowBytes) {
    if (bytes == 0 || bytes % rowBytes != 0) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT,
          name + " has " + bytes + " bytes, expected whole rows of " + rowBytes + " bytes, at least one");
    }
    return bytes / rowBytes;
  }
}
