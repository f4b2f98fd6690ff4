package io.embed4j.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/**
 * One method handle per function of embed4j.h, its C signature above it. The handles are immutable and may be called
 * from any thread; what a call may touch at the same time is stated in the header per handle.
 */
final class Functions {
  // int32_t e4j_abi_version(void)
  final MethodHandle abiVersion;
  // e4j_status e4j_get_system_info(e4j_system_info* out, e4j_error* error)
  final MethodHandle getSystemInfo;
  // e4j_status e4j_gguf_open(const char* path, e4j_gguf** out, e4j_error* error)
  final MethodHandle ggufOpen;
  // void e4j_gguf_close(e4j_gguf* gguf)
  final MethodHandle ggufClose;
  // e4j_status e4j_gguf_get_info(const e4j_gguf* gguf, e4j_gguf_info* out, e4j_error* error)
  final MethodHandle ggufGetInfo;
  // e4j_status e4j_gguf_get_kv(const e4j_gguf* gguf, uint64_t index, e4j_gguf_kv* out, e4j_error* error)
  final MethodHandle ggufGetKv;
  // e4j_status e4j_gguf_get_tensor(const e4j_gguf* gguf, uint64_t index, e4j_gguf_tensor* out, e4j_error* error)
  final MethodHandle ggufGetTensor;
  // e4j_status e4j_row_bytes(int32_t type, int64_t cols, uint64_t* out, e4j_error* error)
  final MethodHandle rowBytes;
  // e4j_status e4j_quantize(int32_t type, const float* src, int64_t rows, int64_t cols, void* dst, uint64_t dst_bytes,
  //                         e4j_error* error)
  final MethodHandle quantize;
  // e4j_status e4j_dequantize(int32_t type, const void* src, uint64_t src_bytes, int64_t rows, int64_t cols, float* dst,
  //                           e4j_error* error)
  final MethodHandle dequantize;
  // e4j_status e4j_packed_bytes(int32_t type, int64_t rows, int64_t cols, uint64_t* out, e4j_error* error)
  final MethodHandle packedBytes;
  // e4j_status e4j_pack(int32_t type, const void* src, uint64_t src_bytes, int64_t rows, int64_t cols, void* dst,
  //                     uint64_t dst_bytes, e4j_error* error)
  final MethodHandle pack;
  // e4j_status e4j_model_open(const e4j_model_params* params, e4j_model** out, e4j_error* error)
  final MethodHandle modelOpen;
  // void e4j_model_close(e4j_model* model)
  final MethodHandle modelClose;
  // e4j_status e4j_model_get_info(const e4j_model* model, e4j_model_info* out, e4j_error* error)
  final MethodHandle modelGetInfo;
  // e4j_status e4j_session_open(e4j_model* model, e4j_session** out, e4j_error* error)
  final MethodHandle sessionOpen;
  // void e4j_session_close(e4j_session* session)
  final MethodHandle sessionClose;
  // e4j_status e4j_embed(e4j_session* session, const e4j_batch* batch, e4j_result* result, e4j_error* error)
  final MethodHandle embed;
  // e4j_status e4j_vector_row_bytes(int32_t storage, int64_t dim, uint64_t* out, e4j_error* error)
  final MethodHandle vectorRowBytes;
  // e4j_status e4j_encode_vectors(int32_t storage, const float* src, int64_t rows, int64_t dim, void* dst,
  //                               uint64_t dst_bytes, e4j_error* error)
  final MethodHandle encodeVectors;
  // e4j_status e4j_decode_vectors(int32_t storage, const void* src, uint64_t src_bytes, int64_t rows, int64_t dim,
  //                               float* dst, e4j_error* error)
  final MethodHandle decodeVectors;
  // e4j_status e4j_maxsim(const e4j_maxsim_shape* shape, const float* query, const void* documents,
  //                       const int64_t* cu_rows, float* scores, e4j_error* error)
  final MethodHandle maxsim;

  private final SymbolLookup symbols;

  /** Links every function; the ABI version must have been checked before. */
  Functions(SymbolLookup symbols) {
    this.symbols = symbols;
    FunctionDescriptor close = FunctionDescriptor.ofVoid(ADDRESS);
    FunctionDescriptor two = FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS);
    FunctionDescriptor three = FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS);
    FunctionDescriptor indexed = FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS);
    abiVersion = link("e4j_abi_version", FunctionDescriptor.of(JAVA_INT));
    getSystemInfo = link("e4j_get_system_info", two);
    ggufOpen = link("e4j_gguf_open", three);
    ggufClose = link("e4j_gguf_close", close);
    ggufGetInfo = link("e4j_gguf_get_info", three);
    ggufGetKv = link("e4j_gguf_get_kv", indexed);
    ggufGetTensor = link("e4j_gguf_get_tensor", indexed);
    rowBytes = link("e4j_row_bytes", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS, ADDRESS));
    quantize = link("e4j_quantize", FunctionDescriptor.of(
        JAVA_INT, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS));
    dequantize = link("e4j_dequantize", FunctionDescriptor.of(
        JAVA_INT, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG, ADDRESS, ADDRESS));
    packedBytes = link("e4j_packed_bytes", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, ADDRESS, ADDRESS));
    pack = link("e4j_pack", FunctionDescriptor.of(
        JAVA_INT, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS));
    modelOpen = link("e4j_model_open", three);
    modelClose = link("e4j_model_close", close);
    modelGetInfo = link("e4j_model_get_info", three);
    sessionOpen = link("e4j_session_open", three);
    sessionClose = link("e4j_session_close", close);
    embed = link("e4j_embed", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS));
    vectorRowBytes = link("e4j_vector_row_bytes", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS, ADDRESS));
    encodeVectors = link("e4j_encode_vectors", FunctionDescriptor.of(
        JAVA_INT, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS));
    decodeVectors = link("e4j_decode_vectors", FunctionDescriptor.of(
        JAVA_INT, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG, ADDRESS, ADDRESS));
    maxsim = link("e4j_maxsim", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS));
  }

  private MethodHandle link(String name, FunctionDescriptor descriptor) {
    MemorySegment symbol = symbols.find(name)
        .orElseThrow(() -> NativeLibrary.unusable("the native library has no function " + name, null));
    return Linker.nativeLinker().downcallHandle(symbol, descriptor);
  }
}
