package io.embed4j.convert;

import java.lang.foreign.MemorySegment;

/** A tensor of a checkpoint, its values read in slices. Immutable; any number of threads may read at once. */
interface CheckpointTensor {
  /** As the checkpoint spells it, for messages. */
  String name();

  /** The file it lies in, for messages. */
  String where();

  Shape shape();

  /**
   * Reads values as float32 in the machine's byte order.
   *
   * @param first index of the first value, row-major
   * @param values how many; first + values is at most {@code shape().values()}
   * @param out 4 * values bytes
   */
  void read(long first, int values, MemorySegment out);
}
