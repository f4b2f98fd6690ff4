package io.embed4j.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;

import io.embed4j.EmbeddingException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/**
 * A memory-mapped GGUF file, read-only: its metadata and its tensors, both in the file's order. Every count, length and
 * offset has been checked by the native reader. Thread-safe; what it hands out may be read until {@link #close}, and
 * throws {@link IllegalStateException} after it.
 */
public final class GgufFile extends Handle {
  private final Path path;
  private final Arena views;
  private final Info info;
  private final Map<String, GgufValue> metadata;
  private final List<Tensor> tensors;

  /**
   * Sizes of the file.
   *
   * @param alignment of tensor data, bytes
   * @param fileBytes the whole file
   * @param dataOffset of the first tensor's data, from the start of the file, bytes
   */
  public record Info(int version, int alignment, long fileBytes, long dataOffset) {}

  /**
   * One tensor.
   *
   * @param typeId the ggml type number; {@link TensorType#of} names those Embed4J knows
   * @param packed whether it is a matrix in panels rather than rows ({@link TensorType#pack})
   * @param shape extents, fastest first, as the file has them
   * @param data the tensor's bytes, little-endian
   */
  public record Tensor(String name, int typeId, boolean packed, List<Long> shape, MemorySegment data) {}

  private GgufFile(Path path, MemorySegment address, Functions functions) {
    super(path.toString(), address, functions.ggufClose);
    this.path = path;
    this.views = Arena.ofShared();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = Layouts.allocate(arena, Layouts.GGUF_INFO);
      Calls.check(error -> (int) functions.ggufGetInfo.invokeExact(address, out, error));
      this.info = new Info(
          Layouts.getInt(out, Layouts.GGUF_INFO, "version"),
          Layouts.getInt(out, Layouts.GGUF_INFO, "alignment"),
          Layouts.getLong(out, Layouts.GGUF_INFO, "file_bytes"),
          Layouts.getLong(out, Layouts.GGUF_INFO, "data_offset"));
      this.metadata = metadata(address, functions, arena, Layouts.getLong(out, Layouts.GGUF_INFO, "num_kv"));
      this.tensors = tensors(address, functions, arena, Layouts.getLong(out, Layouts.GGUF_INFO, "num_tensors"));
    }
  }

  /**
   * Maps a file and checks all of its structure.
   *
   * @throws EmbeddingException {@link EmbeddingException#IO_ERROR}, {@link EmbeddingException#BAD_MODEL}
   */
  public static GgufFile open(Path path) {
    Functions functions = NativeLibrary.functions();
    MemorySegment address;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      MemorySegment name = arena.allocateFrom(path.toString());
      Calls.check(error -> (int) functions.ggufOpen.invokeExact(name, out, error));
      address = out.get(ADDRESS, 0);
    }
    return new GgufFile(path, address, functions);
  }

  /** The path it was opened with. */
  public Path path() {
    return path;
  }

  /** Sizes of the file. */
  public Info info() {
    return info;
  }

  /** Every key with its value, in the file's order. */
  public Map<String, GgufValue> metadata() {
    return metadata;
  }

  /** Every tensor, in the file's order. */
  public List<Tensor> tensors() {
    return tensors;
  }

  @Override
  void release() {
    // A downcall in flight holds the arena open; it ends soon, and then the mapping may go.
    while (views.scope().isAlive()) {
      try {
        views.close();
      } catch (IllegalStateException inUse) {
        LockSupport.parkNanos(100_000);
      }
    }
  }

  private Map<String, GgufValue> metadata(MemorySegment address, Functions functions, Arena arena, long count) {
    Map<String, GgufValue> values = new LinkedHashMap<>();
    MemorySegment kv = Layouts.allocate(arena, Layouts.GGUF_KV);
    for (long i = 0; i < count; i++) {
      long index = i;
      Calls.check(error -> (int) functions.ggufGetKv.invokeExact(address, index, kv, error));
      String key = text(kv, Layouts.GGUF_KV, "key", "key_bytes");
      values.put(key, new GgufValue(path, key,
          Layouts.getInt(kv, Layouts.GGUF_KV, "type"),
          Layouts.getInt(kv, Layouts.GGUF_KV, "element_type"),
          Layouts.getLong(kv, Layouts.GGUF_KV, "count"),
          view(kv, Layouts.GGUF_KV, "value", "value_bytes")));
    }
    return Collections.unmodifiableMap(values);
  }

  private List<Tensor> tensors(MemorySegment address, Functions functions, Arena arena, long count) {
    List<Tensor> tensors = new ArrayList<>();
    MemorySegment tensor = Layouts.allocate(arena, Layouts.GGUF_TENSOR);
    for (long i = 0; i < count; i++) {
      long index = i;
      Calls.check(error -> (int) functions.ggufGetTensor.invokeExact(address, index, tensor, error));
      List<Long> shape = new ArrayList<>();
      for (int d = 0; d < Layouts.getInt(tensor, Layouts.GGUF_TENSOR, "num_dims"); d++) {
        shape.add(tensor.get(ValueLayout.JAVA_LONG, Layouts.offset(Layouts.GGUF_TENSOR, "dims") + 8L * d));
      }
      int type = Layouts.getInt(tensor, Layouts.GGUF_TENSOR, "type");
      tensors.add(new Tensor(
          text(tensor, Layouts.GGUF_TENSOR, "name", "name_bytes"),
          type & ~TensorType.PACKED,
          (type & TensorType.PACKED) != 0,
          List.copyOf(shape),
          view(tensor, Layouts.GGUF_TENSOR, "data", "data_bytes")));
    }
    return Collections.unmodifiableList(tensors);
  }

  private MemorySegment view(MemorySegment struct, StructLayout layout, String data, String bytes) {
    return Layouts.getAddress(struct, layout, data)
        .reinterpret(Layouts.getLong(struct, layout, bytes), views, null)
        .asReadOnly();
  }

  private String text(MemorySegment struct, StructLayout layout, String data, String bytes) {
    return new String(view(struct, layout, data, bytes).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
  }
}
