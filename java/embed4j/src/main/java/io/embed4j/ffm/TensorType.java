package io.embed4j.ffm;

import io.embed4j.EmbeddingException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;

/** The tensor types of GGUF that Embed4J reads or writes, and their arithmetic, which is done in C++. */
public enum TensorType {
  F32(0), F16(1), Q8_0(8), Q4_K(12), Q5_K(13), Q6_K(14), BF16(30);

  /** Rows of a panel of a packed matrix. */
  public static final int PANEL_ROWS = 16;
  /** Added to the type number of a packed matrix in a file (embed4j.h, E4J_PACKED). */
  public static final int PACKED = 1 << 30;

  private final int id;

  TensorType(int id) {
    this.id = id;
  }

  /** The ggml type number, as GGUF files store it. */
  public int id() {
    return id;
  }

  /** The type of a ggml type number; empty for those Embed4J does not know. */
  public static Optional<TensorType> of(int id) {
    return Arrays.stream(values()).filter(type -> type.id == id).findFirst();
  }

  /**
   * Bytes of one row.
   *
   * @throws EmbeddingException {@link EmbeddingException#INVALID_ARGUMENT} when cols is no multiple of the type's block
   *     (32 for Q8_0, 256 for the K types)
   */
  public long rowBytes(long cols) {
    Functions functions = NativeLibrary.functions();
    return Calls.getLong((out, error) -> (int) functions.rowBytes.invokeExact(id, cols, out, error));
  }

  /**
   * float32 to this type, as the format's reference quantisation. Rows are independent, so callers may split them over
   * threads. Both segments must be native memory (not heap arrays).
   *
   * @param src [rows][cols] float32
   * @param dst exactly rows * rowBytes(cols) bytes
   * @throws EmbeddingException {@link EmbeddingException#INVALID_ARGUMENT} when sizes do not fit or a value is not finite
   */
  public void quantize(MemorySegment src, long rows, long cols, MemorySegment dst) {
    checkBytes("src", src, Math.multiplyExact(Math.multiplyExact(rows, cols), 4));
    checkWritable(dst);
    Functions functions = NativeLibrary.functions();
    Calls.check(error -> (int) functions.quantize.invokeExact(id, src, rows, cols, dst, dst.byteSize(), error));
  }

  /**
   * This type to float32, exactly as the format defines it. Both segments must be native memory (not heap arrays).
   *
   * @param src exactly rows * rowBytes(cols) bytes
   * @param dst [rows][cols] float32
   */
  public void dequantize(MemorySegment src, long rows, long cols, MemorySegment dst) {
    checkBytes("dst", dst, Math.multiplyExact(Math.multiplyExact(rows, cols), 4));
    checkWritable(dst);
    Functions functions = NativeLibrary.functions();
    Calls.check(error -> (int) functions.dequantize.invokeExact(id, src, src.byteSize(), rows, cols, dst, error));
  }

  /**
   * Bytes of a packed matrix: its rows in panels of 16, as the CPU's products read them.
   *
   * @throws EmbeddingException {@link EmbeddingException#INVALID_ARGUMENT} as {@link #rowBytes}, or for an extent that is
   *     not 1 to 2^31 - 1
   */
  public long packedBytes(long rows, long cols) {
    Functions functions = NativeLibrary.functions();
    return Calls.getLong((out, error) -> (int) functions.packedBytes.invokeExact(id, rows, cols, out, error));
  }

  /**
   * Rows of this type to panels. Panels are independent, so callers may split the rows after every 16. Both segments must
   * be native memory (not heap arrays).
   *
   * @param src exactly rows * rowBytes(cols) bytes
   * @param dst exactly packedBytes(rows, cols) bytes
   */
  public void pack(MemorySegment src, long rows, long cols, MemorySegment dst) {
    checkWritable(dst);
    Functions functions = NativeLibrary.functions();
    Calls.check(error -> (int) functions.pack.invokeExact(id, src, src.byteSize(), rows, cols, dst, dst.byteSize(), error));
  }

  /** Native code would write into a file mapped for reading, which ends the process. */
  private static void checkWritable(MemorySegment dst) {
    if (dst.isReadOnly()) throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, "dst is read-only");
  }

  private static void checkBytes(String name, MemorySegment segment, long expected) {
    if (segment.byteSize() != expected) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT,
          name + " has " + segment.byteSize() + " bytes, expected " + expected);
    }
  }
}
