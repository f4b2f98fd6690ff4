package io.embed4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Native memory for one batch and its result, kept from batch to batch: one slice holds every array of e4j_batch and
 * e4j_result, and grows when a batch is larger than any before. Not thread-safe: one batch at a time, from any thread;
 * only {@link #cancel} may be called at any time before {@link #close}.
 */
public final class BatchBuffer implements AutoCloseable {
  private static final long ALIGNMENT = 64;

  /**
   * Extents of a batch.
   *
   * @param tokens of all sequences together
   * @param images pictures among the sequences
   * @param patches of all pictures together
   * @param imageTokens merged patches of all pictures together
   * @param pooled mean vectors asked for
   * @param multiVectorRanges ranges whose rows are asked for
   * @param multiVectorRows rows in all those ranges together
   */
  public record Shape(int tokens, int sequences, int images, int patches, int imageTokens, int pooled,
      int multiVectorRanges, int multiVectorRows) {}

  private final int hiddenSize;
  private final int multiVectorDim;
  private final int patchValues;
  private final Arena structs = Arena.ofShared();
  private final MemorySegment cancel = structs.allocate(JAVA_INT);
  final MemorySegment batch = Layouts.allocate(structs, Layouts.BATCH);
  final MemorySegment result = Layouts.allocate(structs, Layouts.RESULT);
  final MemorySegment error = Layouts.allocate(structs, Layouts.ERROR);

  private Arena arrays = Arena.ofShared();
  private MemorySegment slice = MemorySegment.NULL;
  private long used;
  private MemorySegment tokenIds;
  private MemorySegment positionIds;
  private MemorySegment cuSeqlens;
  private MemorySegment adapters;
  private MemorySegment patches;
  private MemorySegment gridThw;
  private MemorySegment imageRows;
  private MemorySegment pooledRanges;
  private MemorySegment multiVectorRanges;
  private MemorySegment pooled;
  private MemorySegment multiVectors;

  /** A buffer for batches of one model. */
  public BatchBuffer(NativeModel.Info model) {
    this.hiddenSize = model.hiddenSize();
    this.multiVectorDim = model.multiVectorDim();
    this.patchValues = model.visionPatchValues();
  }

  /** Lays the arrays out for a batch of this shape; their contents are undefined until set. */
  public void reset(Shape shape) {
    long pooledFloats = Math.multiplyExact((long) shape.pooled(), hiddenSize);
    long multiVectorFloats = Math.multiplyExact((long) shape.multiVectorRows(), multiVectorDim);
    long patchFloats = Math.multiplyExact((long) shape.patches(), patchValues);
    long ints = 4L * shape.tokens() + 2L * shape.sequences() + 1 + 3L * shape.images() + shape.imageTokens()
        + 2L * shape.pooled() + 2L * shape.multiVectorRanges();
    reserve(4 * (ints + patchFloats + pooledFloats + multiVectorFloats) + 11 * ALIGNMENT);
    used = 0;
    tokenIds = take(shape.tokens());
    positionIds = take(3L * shape.tokens());
    cuSeqlens = take(shape.sequences() + 1L);
    adapters = take(shape.sequences());
    patches = take(patchFloats);
    gridThw = take(3L * shape.images());
    imageRows = take(shape.imageTokens());
    pooledRanges = take(2L * shape.pooled());
    multiVectorRanges = take(2L * shape.multiVectorRanges());
    pooled = take(pooledFloats);
    multiVectors = take(multiVectorFloats);

    Layouts.set(batch, Layouts.BATCH, "num_tokens", shape.tokens());
    Layouts.set(batch, Layouts.BATCH, "num_sequences", shape.sequences());
    Layouts.set(batch, Layouts.BATCH, "num_images", shape.images());
    Layouts.set(batch, Layouts.BATCH, "num_patches", shape.patches());
    Layouts.set(batch, Layouts.BATCH, "num_pooled", shape.pooled());
    Layouts.set(batch, Layouts.BATCH, "num_multi_vector", shape.multiVectorRanges());
    Layouts.set(batch, Layouts.BATCH, "token_ids", tokenIds);
    Layouts.set(batch, Layouts.BATCH, "position_ids", positionIds);
    Layouts.set(batch, Layouts.BATCH, "cu_seqlens", cuSeqlens);
    Layouts.set(batch, Layouts.BATCH, "adapters", adapters);
    Layouts.set(batch, Layouts.BATCH, "patches", patches);
    Layouts.set(batch, Layouts.BATCH, "grid_thw", gridThw);
    Layouts.set(batch, Layouts.BATCH, "image_rows", imageRows);
    Layouts.set(batch, Layouts.BATCH, "pooled_ranges", pooledRanges);
    Layouts.set(batch, Layouts.BATCH, "multi_vector_ranges", multiVectorRanges);
    Layouts.set(batch, Layouts.BATCH, "cancel", cancel);
    Layouts.set(result, Layouts.RESULT, "pooled", pooled);
    Layouts.set(result, Layouts.RESULT, "multi_vectors", multiVectors);
    Layouts.set(result, Layouts.RESULT, "pooled_floats", pooledFloats);
    Layouts.set(result, Layouts.RESULT, "multi_vector_floats", multiVectorFloats);
  }

  /** [tokens] int32, 0 .. vocab_size - 1. */
  public MemorySegment tokenIds() {
    return tokenIds;
  }

  /** [3][tokens] int32: temporal, height, width. */
  public MemorySegment positionIds() {
    return positionIds;
  }

  /** [sequences + 1] int32, 0 .. tokens. */
  public MemorySegment cuSeqlens() {
    return cuSeqlens;
  }

  /** [sequences] int32, -1: none. */
  public MemorySegment adapters() {
    return adapters;
  }

  /** [patches][patch values] float32, pictures one after another. */
  public MemorySegment patches() {
    return patches;
  }

  /** [images][3] int32: temporal, height, width in patches. */
  public MemorySegment gridThw() {
    return gridThw;
  }

  /** [imageTokens] int32: the token each merged patch replaces. */
  public MemorySegment imageRows() {
    return imageRows;
  }

  /** [pooled][2] int32, half-open token ranges. */
  public MemorySegment pooledRanges() {
    return pooledRanges;
  }

  /** [multiVectorRanges][2] int32, half-open token ranges. */
  public MemorySegment multiVectorRanges() {
    return multiVectorRanges;
  }

  /** [pooled][hidden_size] float32, written by {@link NativeSession#embed}: means, not normalised. */
  public MemorySegment pooled() {
    return pooled;
  }

  /** [multiVectorRows][multi_vector_dim] float32, written by {@link NativeSession#embed}: each row of length 1. */
  public MemorySegment multiVectors() {
    return multiVectors;
  }

  /** Ends the call in flight, if any, and all later ones with {@code CANCELLED}. Thread-safe. */
  public void cancel() {
    cancel.set(JAVA_INT, 0, 1);
  }

  @Override
  public void close() {
    arrays.close();
    structs.close();
  }

  private void reserve(long bytes) {
    if (bytes <= slice.byteSize()) return;
    arrays.close();
    arrays = Arena.ofShared();
    slice = arrays.allocate(Math.max(bytes, 2 * slice.byteSize()), ALIGNMENT);
  }

  /** The next `count` 4-byte values of the slice. */
  private MemorySegment take(long count) {
    MemorySegment array = slice.asSlice(used, JAVA_FLOAT.byteSize() * count);
    used = (used + array.byteSize() + ALIGNMENT - 1) & -ALIGNMENT;
    return array;
  }
}
