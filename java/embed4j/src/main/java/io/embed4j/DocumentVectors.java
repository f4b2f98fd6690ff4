package io.embed4j;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * Multi-vectors of many documents in native memory, one after another, ready to be scored by {@link MaxSim}. A view: the
 * rows are never copied, and must not change while they are scored. They may lie in an {@link Arena} or in a mapped file;
 * a mapped file must not be made shorter while it is in use, which would end the process. Immutable; usable from every
 * thread that may access the rows.
 */
public final class DocumentVectors {
  private final VectorStorage storage;
  private final int dimensions;
  private final MemorySegment rows; // [offsets[size]][rowBytes]
  private final MemorySegment offsets; // [size + 1] int64
  private final int size;

  private DocumentVectors(VectorStorage storage, int dimensions, MemorySegment rows, long[] offsets) {
    long available = VectorStorage.rows("rows", rows.byteSize(), storage.rowBytes(dimensions));
    checkOffsets(offsets, available);
    this.storage = storage;
    this.dimensions = dimensions;
    this.rows = rows.asReadOnly();
    this.offsets = Arena.ofAuto().allocateFrom(ValueLayout.JAVA_LONG, offsets).asReadOnly();
    this.size = offsets.length - 1;
  }

  /**
   * Rows that are there already.
   *
   * @param dimensions values of a row, 1 .. 4096
   * @param rows native memory, whole rows of {@link VectorStorage#rowBytes}; FLOAT32 aligned to 4 bytes
   * @param offsets [documents + 1]: document d is rows offsets[d] .. offsets[d + 1] - 1, at least one
   * @throws EmbeddingException {@link EmbeddingException#INVALID_ARGUMENT} naming the document that is empty or outside
   *     the rows
   */
  public static DocumentVectors of(VectorStorage storage, int dimensions, MemorySegment rows, long[] offsets) {
    if (!rows.isNative()) throw invalid("rows is a heap array, expected native memory (a segment of an Arena)");
    return new DocumentVectors(storage, dimensions, rows, offsets);
  }

  /**
   * Stores embeddings.
   *
   * @param documents at least one, all of the same dimensions
   * @param arena where the rows are to live: {@link Arena#ofShared} or {@link Arena#ofAuto} to score them from any thread
   */
  public static DocumentVectors encode(VectorStorage storage, List<MultiVectorEmbedding> documents, Arena arena) {
    if (documents.isEmpty()) throw invalid("no documents");
    int dimensions = documents.getFirst().dimensions();
    for (int d = 0; d < documents.size(); d++) {
      int found = documents.get(d).dimensions();
      if (found != dimensions) throw invalid("document " + d + " has " + found + " dimensions, the first one " + dimensions);
    }
    return encode(storage, dimensions, documents.stream().map(MultiVectorEmbedding::segment).toArray(MemorySegment[]::new), arena);
  }

  /**
   * Stores documents given as arrays.
   *
   * @param documents at least one, each [rows][dimensions] with at least one row
   * @param arena where the rows are to live: {@link Arena#ofShared} or {@link Arena#ofAuto} to score them from any thread
   */
  public static DocumentVectors encode(VectorStorage storage, int dimensions, List<float[]> documents, Arena arena) {
    return encode(storage, dimensions, documents.stream().map(MemorySegment::ofArray).toArray(MemorySegment[]::new), arena);
  }

  private static DocumentVectors encode(VectorStorage storage, int dimensions, MemorySegment[] documents, Arena arena) {
    if (documents.length == 0) throw invalid("no documents");
    long floatRow = VectorStorage.FLOAT32.rowBytes(dimensions);
    long rowBytes = storage.rowBytes(dimensions);
    long[] offsets = new long[documents.length + 1];
    for (int d = 0; d < documents.length; d++) {
      offsets[d + 1] = offsets[d] + VectorStorage.rows("document " + d, documents[d].byteSize(), floatRow);
    }
    MemorySegment rows = arena.allocate(Math.multiplyExact(offsets[documents.length], rowBytes), Float.BYTES);
    for (int d = 0; d < documents.length; d++) {
      MemorySegment stored = rows.asSlice(offsets[d] * rowBytes, (offsets[d + 1] - offsets[d]) * rowBytes);
      try (Arena heapCopy = Arena.ofConfined()) {
        storage.encode(VectorStorage.copy(documents[d], heapCopy), dimensions, stored);
      } catch (EmbeddingException e) {
        throw new EmbeddingException(e.code(), "document " + d + ": " + e.getMessage(), e);
      }
    }
    return new DocumentVectors(storage, dimensions, rows, offsets);
  }

  /** How the rows are stored. */
  public VectorStorage storage() {
    return storage;
  }

  /** Values of a row. */
  public int dimensions() {
    return dimensions;
  }

  /** Documents. */
  public int size() {
    return size;
  }

  /** Rows of one document. */
  public long rows(int document) {
    return offset(document + 1) - offset(document);
  }

  /** All rows, without copying: a read-only view, as {@link #storage} lays them. */
  public MemorySegment segment() {
    return rows;
  }

  /** Where a document's rows begin; of {@link #size}: where the last one's end. */
  long offset(int document) {
    return offsets.getAtIndex(ValueLayout.JAVA_LONG, document);
  }

  /** [size + 1] int64, native. */
  MemorySegment offsets() {
    return offsets;
  }

  private static void checkOffsets(long[] offsets, long rows) {
    if (offsets.length < 2) throw invalid("offsets has " + offsets.length + " entries, expected those of at least one document");
    if (offsets[0] < 0) throw invalid("offsets[0] is " + offsets[0] + ", expected at least 0");
    for (int d = 0; d + 1 < offsets.length; d++) {
      if (offsets[d] == offsets[d + 1]) throw invalid("document " + d + " is empty");
      if (offsets[d] > offsets[d + 1]) {
        throw invalid("document " + d + ": offsets falls from " + offsets[d] + " to " + offsets[d + 1]);
      }
      if (offsets[d + 1] > rows) throw invalid("document " + d + " ends at row " + offsets[d + 1] + " of " + rows);
    }
  }

  private static EmbeddingException invalid(String message) {
    return new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, message);
  }

  @Override
  public String toString() {
    return "DocumentVectors[size=" + size + ", dimensions=" + dimensions + ", storage=" + storage + "]";
  }
}
