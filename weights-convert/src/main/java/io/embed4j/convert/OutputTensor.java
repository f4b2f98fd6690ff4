package io.embed4j.convert;

import io.embed4j.ffm.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * A tensor of a file to be written and where its values come from.
 *
 * @param name in that file
 * @param dims extents, fastest first, as GGUF states them
 * @param cols values of one row: what is encoded as a unit and never split over blocks or slices
 * @param rows how many
 * @param packed in panels, as the CPU's products read a matrix, rather than row by row
 */
record OutputTensor(String name, TensorType type, List<Long> dims, long rows, long cols, boolean packed, Rows source) {

  private OutputTensor(String name, TensorType type, List<Long> dims, long rows, long cols, Rows source) {
    this(name, type, dims, rows, cols, false, source);
  }

  /** Reads rows as float32 in the machine's byte order; any number of threads may read at once. */
  interface Rows {
    /** The tensor of the checkpoint that the rows come from, for messages. */
    CheckpointTensor tensor();

    /** Reads {@code rows} rows from {@code first} on into 4 * rows * cols bytes. */
    void read(long first, int rows, MemorySegment out);
  }

  /** All of a tensor. */
  static OutputTensor of(String name, TensorType type, CheckpointTensor tensor) {
    return part(name, type, tensor, 0, tensor.shape().extents());
  }

  /** One third of a tensor, cut along its slowest extent: query, key or value of a joint projection. */
  static OutputTensor third(String name, TensorType type, CheckpointTensor tensor, int index) {
    List<Long> extents = new ArrayList<>(tensor.shape().extents());
    extents.set(0, extents.getFirst() / 3);
    return part(name, type, tensor, index * new Shape(extents).values(), extents);
  }

  private static OutputTensor part(String name, TensorType type, CheckpointTensor tensor, long offset,
      List<Long> extents) {
    long cols = extents.getLast();
    return new OutputTensor(name, type, extents.reversed(), new Shape(extents).values() / cols, cols,
        new Contiguous(tensor, offset, cols));
  }

  /**
   * One frame of a patch embedding [out, channels, frames, height, width]: [out, channels, height, width], a row per
   * output channel.
   */
  static OutputTensor frame(String name, TensorType type, CheckpointTensor tensor, int frame) {
    List<Long> extents = tensor.shape().extents();
    long plane = extents.get(3) * extents.get(4);
    long channels = extents.get(1);
    List<Long> dims = new ArrayList<>(extents.reversed());
    dims.remove(2);
    return new OutputTensor(name, type, dims, extents.getFirst(), channels * plane,
        new Frame(tensor, frame, channels, extents.get(2), plane));
  }

  /** The same in panels. */
  OutputTensor inPanels() {
    return new OutputTensor(name, type, dims, rows, cols, true, source);
  }

  /** The type number in the file. */
  int typeId() {
    return packed ? type.id() + TensorType.PACKED : type.id();
  }

  long bytes() {
    return bytes(rows);
  }

  /** Of that many rows, which are whole panels of a packed tensor unless they are its last. */
  long bytes(long count) {
    return packed ? type.packedBytes(count, cols) : Math.multiplyExact(count, type.rowBytes(cols));
  }

  /** Rows that can be written apart from others: about so many values. */
  long slice(long values) {
    int unit = packed ? TensorType.PANEL_ROWS : 1;
    return Math.max(unit, values / cols / unit * unit);
  }

  /** Rows that follow each other in the checkpoint. */
  private record Contiguous(CheckpointTensor tensor, long offset, long cols) implements Rows {
    @Override
    public void read(long first, int rows, MemorySegment out) {
      tensor.read(offset + first * cols, Math.toIntExact(rows * cols), out);
    }
  }

  /** Rows gathered from every channel's plane of one frame. */
  private record Frame(CheckpointTensor tensor, int frame, long channels, long frames, long plane) implements Rows {
    @Override
    public void read(long first, int rows, MemorySegment out) {
      long bytes = plane * ValueLayout.JAVA_FLOAT.byteSize();
      for (long i = 0; i < rows * channels; i++) {
        tensor.read(((first * channels + i) * frames + frame) * plane, (int) plane, out.asSlice(i * bytes, bytes));
      }
    }
  }
}
