package io.embed4j.convert;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Lays out a GGUF file of version 3 (ggml-org/ggml, docs/gguf.md): magic, counts, metadata, one entry per tensor, then
 * the tensors' values, each at a multiple of 32 bytes.
 */
final class GgufContents {
  private static final int ALIGNMENT = 32;
  /** GGML_MAX_NAME, with the terminating zero. */
  private static final int MAX_NAME_BYTES = 64;
  private static final int MAGIC = 0x46554747; // "GGUF"
  private static final int VERSION = 3;

  private GgufContents() {}

  /** A file with the metadata and the tensors in the given order. */
  static FileContents of(String name, GgufMetadata metadata, List<OutputTensor> tensors) {
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
      out.u32(tensor.type().id()).u64(end);
      offsets.add(end);
      end = Math.addExact(end, tensor.bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    byte[] header = out.align(ALIGNMENT).toByteArray();
    offsets.replaceAll(offset -> header.length + offset);
    return new FileContents(name, header, tensors, offsets, Math.addExact(header.length, end));
  }
}
