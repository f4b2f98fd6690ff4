package io.embed4j.convert;

import java.util.List;

/**
 * A file as it will be written: a header, then the tensors' rows, each tensor at its offset, zeros between.
 *
 * @param name within the directory
 * @param offsets of the tensors from the start of the file
 * @param bytes of the whole file
 */
record FileContents(String name, byte[] header, List<OutputTensor> tensors, List<Long> offsets, long bytes) {
  FileContents {
    tensors = List.copyOf(tensors);
    offsets = List.copyOf(offsets);
  }

  /** Bytes that belong to neither the header nor a tensor. */
  long paddingBytes() {
    return bytes - header.length - tensors.stream().mapToLong(OutputTensor::bytes).sum();
  }
}
