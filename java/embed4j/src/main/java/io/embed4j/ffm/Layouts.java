package io.embed4j.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The structs of embed4j.h, field for field in the header's order. Fields are reached by name. */
final class Layouts {
  /** struct e4j_error. */
  static final StructLayout ERROR = MemoryLayout.structLayout(
      JAVA_INT.withName("struct_size"),
      JAVA_INT.withName("status"),
      MemoryLayout.sequenceLayout(1016, JAVA_BYTE).withName("message")).withName("e4j_error");

  /** struct e4j_system_info. */
  static final StructLayout SYSTEM_INFO = MemoryLayout.structLayout(
      JAVA_INT.withName("struct_size"),
      JAVA_INT.withName("default_threads"),
      MemoryLayout.sequenceLayout(32, JAVA_BYTE).withName("cpu_tier"),
      MemoryLayout.sequenceLayout(256, JAVA_BYTE).withName("cpu_tiers"),
      MemoryLayout.sequenceLayout(32, JAVA_BYTE).withName("library_version")).withName("e4j_system_info");

  /** struct e4j_gguf_info. */
  static final StructLayout GGUF_INFO = MemoryLayout.structLayout(
      JAVA_INT.withName("struct_size"),
      JAVA_INT.withName("version"),
      JAVA_INT.withName("alignment"),
      JAVA_INT.withName("reserved"),
      JAVA_LONG.withName("file_bytes"),
      JAVA_LONG.withName("data_offset"),
      JAVA_LONG.withName("num_kv"),
      JAVA_LONG.withName("num_tensors")).withName("e4j_gguf_info");

  /** struct e4j_gguf_kv. */
  static final StructLayout GGUF_KV = MemoryLayout.structLayout(
      JAVA_INT.withName("struct_size"),
      JAVA_INT.withName("type"),
      JAVA_INT.withName("element_type"),
      JAVA_INT.withName("reserved"),
      ADDRESS.withName("key"),
      JAVA_LONG.withName("key_bytes"),
      JAVA_LONG.withName("count"),
      ADDRESS.withName("value"),
      JAVA_LONG.withName("value_bytes")).withName("e4j_gguf_kv");

  /** struct e4j_gguf_tensor. */
  static final StructLayout GGUF_TENSOR = MemoryLayout.structLayout(
      JAVA_INT.withName("struct_size"),
      JAVA_INT.withName("type"),
      ADDRESS.withName("name"),
      JAVA_LONG.withName("name_bytes"),
      JAVA_INT.withName("num_dims"),
      JAVA_INT.withName("reserved"),
      MemoryLayout.sequenceLayout(4, JAVA_LONG).withName("dims"),
      ADDRESS.withName("data"),
      JAVA_LONG.withName("data_bytes")).withName("e4j_gguf_tensor");

  /** struct e4j_model_params. */
  static final StructLayout MODEL_PARAMS = MemoryLayout.structLayout(
      JAVA_INT.withName("struct_size"),
      JAVA_INT.withName("num_threads"),
      ADDRESS.withName("text_path"),
      ADDRESS.withName("vision_path"),
      ADDRESS.withName("multivector_path"),
      ADDRESS.withName("adapter_paths"),
      JAVA_INT.withName("num_adapters"),
      JAVA_INT.withName("reserved"),
      ADDRESS.withName("device"),
      ADDRESS.withName("cuda_library"),
      ADDRESS.withName("cublas_lt_library"),
      ADDRESS.withName("precision")).withName("e4j_model_params");

  /** struct e4j_model_info. */
  static final StructLayout MODEL_INFO = MemoryLayout.structLayout(
      JAVA_INT.withName("struct_size"),
      JAVA_INT.withName("num_threads"),
      JAVA_INT.withName("hidden_size"),
      JAVA_INT.withName("intermediate_size"),
      JAVA_INT.withName("num_hidden_layers"),
      JAVA_INT.withName("num_attention_heads"),
      JAVA_INT.withName("num_key_value_heads"),
      JAVA_INT.withName("head_dim"),
      JAVA_INT.withName("vocab_size"),
      JAVA_INT.withName("max_position_embeddings"),
      JAVA_INT.withName("multi_vector_dim"),
      JAVA_INT.withName("num_adapters"),
      JAVA_INT.withName("vision_patch_values"),
      JAVA_INT.withName("vision_merge_size"),
      JAVA_LONG.withName("weight_bytes"),
      MemoryLayout.sequenceLayout(256, JAVA_BYTE).withName("device"),
      MemoryLayout.sequenceLayout(1280, JAVA_BYTE).withName("device_note"),
      JAVA_INT.withName("num_devices"),
      JAVA_INT.withName("reserved")).withName("e4j_model_info");

  /** struct e4j_batch. */
  static final StructLayout BATCH = MemoryLayout.structLayout(
      JAVA_INT.withName("struct_size"),
      JAVA_INT.withName("num_tokens"),
      JAVA_INT.withName("num_sequences"),
      JAVA_INT.withName("num_images"),
      JAVA_INT.withName("num_patches"),
      JAVA_INT.withName("num_pooled"),
      JAVA_INT.withName("num_multi_vector"),
      JAVA_INT.withName("background"),
      ADDRESS.withName("token_ids"),
      ADDRESS.withName("position_ids"),
      ADDRESS.withName("cu_seqlens"),
      ADDRESS.withName("adapters"),
      ADDRESS.withName("patches"),
      ADDRESS.withName("grid_thw"),
      ADDRESS.withName("image_rows"),
      ADDRESS.withName("pooled_ranges"),
      ADDRESS.withName("multi_vector_ranges"),
      ADDRESS.withName("cancel")).withName("e4j_batch");

  /** struct e4j_result. */
  static final StructLayout RESULT = MemoryLayout.structLayout(
      JAVA_INT.withName("struct_size"),
      JAVA_INT.withName("reserved"),
      ADDRESS.withName("pooled"),
      ADDRESS.withName("multi_vectors"),
      JAVA_LONG.withName("pooled_floats"),
      JAVA_LONG.withName("multi_vector_floats")).withName("e4j_result");

  /** struct e4j_maxsim_shape. */
  static final StructLayout MAXSIM_SHAPE = MemoryLayout.structLayout(
      JAVA_INT.withName("struct_size"),
      JAVA_INT.withName("storage"),
      JAVA_INT.withName("dim"),
      JAVA_INT.withName("query_rows"),
      JAVA_LONG.withName("first_document"),
      JAVA_LONG.withName("num_documents"),
      JAVA_LONG.withName("document_bytes")).withName("e4j_maxsim_shape");

  private Layouts() {}

  /** A zeroed struct with its struct_size set. */
  static MemorySegment allocate(SegmentAllocator allocator, StructLayout layout) {
    MemorySegment struct = allocator.allocate(layout).fill((byte) 0);
    struct.set(JAVA_INT, 0, Math.toIntExact(layout.byteSize()));
    return struct;
  }

  static int getInt(MemorySegment struct, StructLayout layout, String field) {
    return struct.get(JAVA_INT, offset(layout, field));
  }

  static long getLong(MemorySegment struct, StructLayout layout, String field) {
    return struct.get(JAVA_LONG, offset(layout, field));
  }

  static MemorySegment getAddress(MemorySegment struct, StructLayout layout, String field) {
    return struct.get(ADDRESS, offset(layout, field));
  }

  static void set(MemorySegment struct, StructLayout layout, String field, int value) {
    struct.set(JAVA_INT, offset(layout, field), value);
  }

  static void set(MemorySegment struct, StructLayout layout, String field, long value) {
    struct.set(JAVA_LONG, offset(layout, field), value);
  }

  static void set(MemorySegment struct, StructLayout layout, String field, MemorySegment value) {
    struct.set(ADDRESS, offset(layout, field), value);
  }

  /** A char array field: UTF-8 up to its NUL, or the whole field when it has none. */
  static String getText(MemorySegment struct, StructLayout layout, String field) {
    MemorySegment text = struct.asSlice(offset(layout, field), layout.select(PathElement.groupElement(field)).byteSize());
    int n = 0;
    while (n < text.byteSize() && text.get(JAVA_BYTE, n) != 0) n++;
    return new String(text.asSlice(0, n).toArray(JAVA_BYTE), StandardCharsets.UTF_8);
  }

  static long offset(StructLayout layout, String field) {
    return layout.byteOffset(PathElement.groupElement(field));
  }

  /** Every layout above, so that a test compares each with the header. */
  static List<StructLayout> all() {
    return List.of(
        ERROR, SYSTEM_INFO, GGUF_INFO, GGUF_KV, GGUF_TENSOR, MODEL_PARAMS, MODEL_INFO, BATCH, RESULT, MAXSIM_SHAPE);
  }
}
