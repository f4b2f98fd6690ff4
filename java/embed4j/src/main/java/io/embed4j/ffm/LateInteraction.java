package io.embed4j.ffm;

import io.embed4j.EmbeddingException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Stored multi-vectors and their scores, computed in C++ on the calling thread. All segments are native memory; they are
 * arguments of the calls, never addresses inside a struct, so that no arena is closed under a running call. What is
 * written must not be read-only: the library would write to it all the same. Thread-safe.
 */
public final class LateInteraction {
  private LateInteraction() {}

  /** Bytes of one stored row of `dimensions` values; storage is one of E4J_VECTORS_*. */
  public static long rowBytes(int storage, int dimensions) {
    Functions functions = NativeLibrary.functions();
    return Calls.getLong((out, error) -> (int) functions.vectorRowBytes.invokeExact(storage, (long) dimensions, out, error));
  }

  /**
   * float32 to stored rows.
   *
   * @param src [rows][dimensions] float32
   * @param dst exactly rows * rowBytes
   */
  public static void encode(int storage, MemorySegment src, long rows, int dimensions, MemorySegment dst) {
    check("src", src, floatBytes(rows, dimensions));
    checkWritable("dst", dst);
    Functions functions = NativeLibrary.functions();
    Calls.check(error -> (int) functions.encodeVectors.invokeExact(
        storage, src, rows, (long) dimensions, dst, dst.byteSize(), error));
  }

  /**
   * Stored rows to the float32 values they stand for.
   *
   * @param src exactly rows * rowBytes
   * @param dst [rows][dimensions] float32
   */
  public static void decode(int storage, MemorySegment src, long rows, int dimensions, MemorySegment dst) {
    check("dst", dst, floatBytes(rows, dimensions));
    checkWritable("dst", dst);
    checkNative("src", src);
    Functions functions = NativeLibrary.functions();
    Calls.check(error -> (int) functions.decodeVectors.invokeExact(
        storage, src, src.byteSize(), rows, (long) dimensions, dst, error));
  }

  /**
   * MaxSim of one query against the documents first .. first + count - 1.
   *
   * @param query [queryRows][dimensions] float32
   * @param documents stored rows, whole ones
   * @param offsets [documents + 1] int64: document d is rows offsets[d] .. offsets[d + 1] - 1
   * @param scores [count] float32, written
   */
  public static void score(int storage, int dimensions, MemorySegment query, int queryRows, MemorySegment documents,
      MemorySegment offsets, long first, long count, MemorySegment scores) {
    check("query", query, floatBytes(queryRows, dimensions));
    checkNative("documents", documents);
    if (first < 0 || count < 1 || first > offsets.byteSize() / Long.BYTES - 1 - count) {
      throw invalid("documents " + first + " .. " + (first + count) + " of " + (offsets.byteSize() / Long.BYTES - 1));
    }
    check("scores", scores, Math.multiplyExact(count, (long) Float.BYTES));
    checkWritable("scores", scores);
    Functions functions = NativeLibrary.functions();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment shape = Layouts.allocate(arena, Layouts.MAXSIM_SHAPE);
      Layouts.set(shape, Layouts.MAXSIM_SHAPE, "storage", storage);
      Layouts.set(shape, Layouts.MAXSIM_SHAPE, "dim", dimensions);
      Layouts.set(shape, Layouts.MAXSIM_SHAPE, "query_rows", queryRows);
      Layouts.set(shape, Layouts.MAXSIM_SHAPE, "first_document", first);
      Layouts.set(shape, Layouts.MAXSIM_SHAPE, "num_documents", count);
      Layouts.set(shape, Layouts.MAXSIM_SHAPE, "document_bytes", documents.byteSize());
      Calls.check(error -> (int) functions.maxsim.invokeExact(shape, query, documents, offsets, scores, error));
    }
  }

  private static long floatBytes(long rows, int dimensions) {
    return Math.multiplyExact(Math.multiplyExact(rows, (long) dimensions), (long) Float.BYTES);
  }

  private static void check(String name, MemorySegment segment, long expected) {
    checkNative(name, segment);
    if (segment.byteSize() != expected) throw invalid(name + " has " + segment.byteSize() + " bytes, expected " + expected);
  }

  private static void checkNative(String name, MemorySegment segment) {
    if (!segment.isNative()) throw invalid(name + " is a heap array, expected native memory (a segment of an Arena)");
  }

  private static void checkWritable(String name, MemorySegment segment) {
    checkNative(name, segment);
    if (segment.isReadOnly()) throw invalid(name + " is read-only");
  }

  private static EmbeddingException invalid(String message) {
    return new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, message);
  }
}
