package io.embed4j.cli.output;

import io.embed4j.DenseEmbedding;
import io.embed4j.Embedding;
import io.embed4j.MultiVectorEmbedding;
import io.embed4j.VectorStorage;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Locale;

/** How the values of vectors are stored. int8 and binary are those of {@link VectorStorage}. */
public enum VectorType {
  /** As they are. */
  FLOAT32,
  /** Rounded to the nearest IEEE 754 half: about 3 decimal digits. */
  FLOAT16,
  /** A float32 scale per vector, its largest magnitude / 127, and value / scale rounded to -127 .. 127. */
  INT8,
  /** One bit a value, 1 for greater than 0, the first in the highest bit of the first byte; no scale. */
  BINARY;

  /**
   * Vectors in one of these forms.
   *
   * @param values [rows][bytes], little-endian
   * @param scales [rows] of INT8, else empty
   */
  public record Vectors(int rows, byte[] values, float[] scales) {}

  /** The spelling of options. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Bytes of a vector, without its scale. */
  public int bytes(int dimensions) {
    return switch (this) {
      case FLOAT32 -> 4 * dimensions;
      case FLOAT16 -> 2 * dimensions;
      case INT8 -> dimensions;
      case BINARY -> (dimensions + 7) / 8;
    };
  }

  /** The vector, or vectors, of an embedding. */
  public Vectors of(Embedding embedding) {
    return switch (embedding) {
      case DenseEmbedding dense -> of(dense.segment(), dense.dimensions());
      case MultiVectorEmbedding multi -> of(multi.segment(), multi.dimensions());
      default -> throw new IllegalStateException("no input asks for " + embedding);
    };
  }

  private Vectors of(MemorySegment floats, int dimensions) {
    int rows = Math.toIntExact(floats.byteSize() / 4 / dimensions);
    return switch (this) {
      case FLOAT32 -> {
        ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(floats.byteSize())).order(ByteOrder.LITTLE_ENDIAN);
        MemorySegment.copy(floats, ValueLayout.JAVA_FLOAT, 0, MemorySegment.ofBuffer(bytes),
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0, (long) rows * dimensions);
        yield new Vectors(rows, bytes.array(), new float[0]);
      }
      case FLOAT16 -> {
        ByteBuffer bytes = ByteBuffer.allocate(2 * rows * dimensions).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < rows * dimensions; i++) {
          bytes.putShort(Float.floatToFloat16(floats.getAtIndex(ValueLayout.JAVA_FLOAT, i)));
        }
        yield new Vectors(rows, bytes.array(), new float[0]);
      }
      case INT8 -> int8(VectorStorage.INT8.encode(floats.toArray(ValueLayout.JAVA_FLOAT), dimensions), rows, dimensions);
      case BINARY ->
          new Vectors(rows, VectorStorage.BINARY.encode(floats.toArray(ValueLayout.JAVA_FLOAT), dimensions), new float[0]);
    };
  }

  /** Rows of a scale and values each, taken apart. */
  private static Vectors int8(byte[] stored, int rows, int dimensions) {
    ByteBuffer bytes = ByteBuffer.wrap(stored).order(ByteOrder.LITTLE_ENDIAN);
    int rowBytes = stored.length / rows;
    float[] scales = new float[rows];
    byte[] values = new byte[rows * dimensions];
    for (int i = 0; i < rows; i++) {
      scales[i] = bytes.getFloat(i * rowBytes);
      bytes.get(i * rowBytes + Float.BYTES, values, i * dimensions, dimensions);
    }
    return new Vectors(rows, values, scales);
  }
}
