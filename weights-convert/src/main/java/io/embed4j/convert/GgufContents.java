package io.embed4j.convert;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * What a GGUF file of version 3 (ggml-org/ggml, docs/gguf.md) is to hold.
 *
 * @param name within the directory
 */
record GgufContents(String name, GgufMetadata metadata, List<OutputTensor> tensors) {
  private static final int ALIGNMENT = 32;
  private static final int PACKED_ALIGNMENT = 64;
  /** GGML_MAX_NAME, with the terminating zero. */
  private static final int MAX_NAME_BYTES = 64;
  private static final int MAGIC = 0x46554747; // "GGUF"
  private static final int VERSION = 3;

  /** The file as every program reads it: tensors row by row. */
  FileContents inRows() {
    return laidOut(tensors, ALIGNMENT);
  }

  /** The file for this project's CPU backend alone: the matrices of products in panels, which are used where they are. */
  FileContents inPanels() {
    metadata.u32("general.alignment", PACKED_ALIGNMENT);
    return laidOut(tensors.stream().map(tensor -> isWeight(tensor) ? tensor.inPanels() : tensor).toList(), PACKED_ALIGNMENT);
  }

  /** Not a norm or a bias, nor a table that rows are looked up in, nor the kernel of a convolution. */
  private static boolean isWeight(OutputTensor tensor) {
    return tensor.dims().size() == 2 && !tensor.name().equals("token_embd.weight");
  }

  /** Magic, counts, metadata, one entry per tensor, then the tensors' values, each at a multiple of the alignment. */
  private FileContents laidOut(List<OutputTensor> tensors, int alignment) {
    GgufMetadata.Encoder out = new GgufMetadata.Encoder();
    out.u32(MAGIC).u32(VERSION).u64(tensors.size()).u64(metadata.size());
    metadata.encode(out);
    Set<String> names = new HashSet<>();
    List<Long> offsets = new ArrayList<>();
    long end = 0;
    for (OutputTensor tensor : tensors) {
      if (!names.add(tensor.name()) || tensor.name().length() >= MAX_NAME_BYTES) {
        throw new IllegalArgumentException("tensor name " + tensor.name() + " is repeated or too long");
      }
      out.string(tensor.name()).u32(tensor.dims().size());
      for (long extent : tensor.dims()) out.u64(extent);
      out.u32(tensor.typeId()).u64(end);
      offsets.add(end);
      end = Math.addExact(end, tensor.bytes() + alignment - 1) / alignment * alignment;
    }
    byte[] header = out.align(alignment).toByteArray();
    offsets.replaceAll(offset -> header.length + offset);
    return new FileContents(name, header, tensors, offsets, Math.addExact(header.length, end));
  }
}
