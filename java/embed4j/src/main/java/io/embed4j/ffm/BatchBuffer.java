package io.embed4j.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * Native memory for one batch and its result, kept from batch to batch: one slice holds every array of e4j_batch and
 * e4j_result, and grows when a batch is larger than any before. Not thread-safe: one batch at a time, from any thread;
 * only {@link #cancel} may be called at any time before {@link #close}.
 */
public final class BatchBuffer implements AutoCloseable {
  private static final long ALIGNMENT = 64;

  // Offsets of e4j_batch and e4j_result, looked up once: a lookup costs half a microsecond and 200 bytes of garbage.
  private static final long NUM_TOKENS = Layouts.offset(Layouts.BATCH, "num_tokens");
  private static final long NUM_SEQUENCES = Layouts.offset(Layouts.BATCH, "num_sequences");
  private static final long NUM_IMAGES = Layouts.offset(Layouts.BATCH, "num_images");
  private static final long NUM_PATCHES = Layouts.offset(Layouts.BATCH, "num_patches");
  private static final long NUM_POOLED = Layouts.offset(Layouts.BATCH, "num_pooled");
  private static final long NUM_MULTI_VECTOR = Layouts.offset(Layouts.BATCH, "num_multi_vector");
  private static final long BACKGROUND = Layouts.offset(Layouts.BATCH, "background");
  private static final long TOKEN_IDS = Layouts.offset(Layouts.BATCH, "token_ids");
  private static final long POSITION_IDS = Layouts.offset(Layouts.BATCH, "position_ids");
  private static final long CU_SEQLENS = Layouts.offset(Layouts.BATCH, "cu_seqlens");
  private static final long ADAPTERS = Layouts.offset(Layouts.BATCH, "adapters");
  private static final long PATCHES = Layouts.offset(Layouts.BATCH, "patches");
  private static final long GRID_THW = Layouts.offset(Layouts.BATCH, "grid_thw");
  private static final long IMAGE_ROWS = Layouts.offset(Layouts.BATCH, "image_rows");
  private static final long POOLED_RANGES = Layouts.offset(Layouts.BATCH, "pooled_ranges");
  private static final long MULTI_VECTOR_RANGES = Layouts.offset(Layouts.BATCH, "multi_vector_ranges");
  private static final long CANCEL = Layouts.offset(Layouts.BATCH, "cancel");
  private static final VarHandle CANCELLED = JAVA_INT.varHandle();
  private static final long RESULT_POOLED = Layouts.offset(Layouts.RESULT, "pooled");
  private static final long RESULT_MULTI_VECTORS = Layouts.offset(Layouts.RESULT, "multi_vectors");
  private static final long RESULT_POOLED_FLOATS = Layouts.offset(Layouts.RESULT, "pooled_floats");
  private static final long RESULT_MULTI_VECTOR_FLOATS = Layouts.offset(Layouts.RESULT, "multi_vector_floats");

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

  /**
   * A buffer for batches of one model.
   *
   * @param background whether its batches have the model's threads only while no others want them
   */
  public BatchBuffer(NativeModel.Info model, boolean background) {
    batch.set(JAVA_INT, BACKGROUND, background ? 1 : 0);
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

    batch.set(JAVA_INT, NUM_TOKENS, shape.tokens());
    batch.set(JAVA_INT, NUM_SEQUENCES, shape.sequences());
    batch.set(JAVA_INT, NUM_IMAGES, shape.images());
    batch.set(JAVA_INT, NUM_PATCHES, shape.patches());
    batch.set(JAVA_INT, NUM_POOLED, shape.pooled());
    batch.set(JAVA_INT, NUM_MULTI_VECTOR, shape.multiVectorRanges());
    batch.set(ADDRESS, TOKEN_IDS, tokenIds);
    batch.set(ADDRESS, POSITION_IDS, positionIds);
    batch.set(ADDRESS, CU_SEQLENS, cuSeqlens);
    batch.set(ADDRESS, ADAPTERS, adapters);
    batch.set(ADDRESS, PATCHES, patches);
    batch.set(ADDRESS, GRID_THW, gridThw);
    batch.set(ADDRESS, IMAGE_ROWS, imageRows);
    batch.set(ADDRESS, POOLED_RANGES, pooledRanges);
    batch.set(ADDRESS, MULTI_VECTOR_RANGES, multiVectorRanges);
    batch.set(ADDRESS, CANCEL, cancel);
    result.set(ADDRESS, RESULT_POOLED, pooled);
    result.set(ADDRESS, RESULT_MULTI_VECTORS, multiVectors);
    result.set(JAVA_LONG, RESULT_POOLED_FLOATS, pooledFloats);
    result.set(JAVA_LONG, RESULT_MULTI_VECTOR_FLOATS, multiVectorFloats);
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

  /** Ends the call in flight, if any, and all that follow before {@link #arm} with {@code CANCELLED}. Thread-safe. */
  public void cancel() {
    CANCELLED.setVolatile(cancel, 0L, 1);
  }

  /** Undoes {@link #cancel}. */
  public void arm() {
    CANCELLED.setVolatile(cancel, 0L, 0);
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

  /** The next `count` 4-byte values of the slice; NULL for none. */
  private MemorySegment take(long count) {
    if (count == 0) return MemorySegment.NULL;
    MemorySegment array = slice.asSlice(used, JAVA_FLOAT.byteSize() * count);
    used = (used + array.byteSize() + ALIGNMENT - 1) & -ALIGNMENT;
    return array;
  }
}
