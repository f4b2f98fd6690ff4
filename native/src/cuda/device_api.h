// What libembed4j_cuda does for libembed4j: memory, streams and kernels of NVIDIA devices, as a table of plain functions. No
// C++ object, exception or allocation crosses between the two libraries, each of which carries its own C++ runtime.
//
// Every function returns 0 or the CUDA runtime's error number, works on the device that `use` made the thread's own, and
// unless it says otherwise only queues its work on the stream. Rows are row-major; strides count elements.
#pragma once
#include <cstddef>
#include <cstdint>

#include "cuda/flash_attention/flash_attention.h"
#include "cuda/quant_matmul/quant_matmul.h"

namespace e4j::cuda {

// Raised with every change of this file or of the structs it names.
inline constexpr uint32_t kDeviceApiVersion = 4;

using Stream = struct CUstream_st*;    // cudaStream_t
using Graph = struct CUgraphExec_st*;  // cudaGraphExec_t

struct DeviceInfo {
  char name[256];
  int major, minor;  // compute capability
  uint64_t total_bytes;
};
// Whether AttentionKernel::kCausal128Wgmma runs there.
inline bool has_wgmma(const DeviceInfo& info) noexcept { return info.major == 9 && info.minor == 0; }

// dst [rows][dst_stride], dst_cols of it written: columns from cols on get zeros.
struct NormRows {
  const float* x;       // [rows][x_stride]
  const float* weight;  // [cols]
  int rows, cols;
  int64_t x_stride;
  float eps;
  float* out_f32;       // one of the two, the other null; out_f32 may be x
  uint16_t* out_bf16;
  int64_t out_stride;
  int out_cols;         // >= cols
  bool operator==(const NormRows&) const = default;
};

struct CastRows {
  const float* x;
  int rows, cols;
  int64_t x_stride;
  uint16_t* out;
  int64_t out_stride;
  int out_cols;  // >= cols
  bool operator==(const CastRows&) const = default;
};

// out e4m3 [rows][out_stride] and scales: x = scale * out, the scale being that of each row, [rows], or where not by_rows of all
// of them, [2] with the largest magnitude behind it. cols, x_stride are multiples of 8, out_stride of 16; x is 16-byte aligned.
struct QuantizeRows {
  const uint16_t* x;  // bf16 [rows][x_stride]
  int64_t x_stride;
  int rows, cols;
  uint8_t* out;
  int64_t out_stride;
  float* scales;
  bool by_rows;

  bool operator==(const QuantizeRows&) const = default;
};

// Rotary angles as ops.h has them, all in device memory.
struct RotaryRows {
  const int32_t* positions;  // [axes][rows]
  const int32_t* axis;       // [half]
  const float* inv_freq;     // [half]
  int rows, half;
  float *cos, *sin;          // [rows][half]
  bool operator==(const RotaryRows&) const = default;
};

// Every head of x bf16 [rows][stride] is rotated in place: num_heads * 2 * half columns.
struct RotateRows {
  uint16_t* x;
  int64_t stride;
  int rows, num_heads, half;
  const float *cos, *sin;  // [rows][half]
  bool operator==(const RotateRows&) const = default;
};

// out bf16 [rows][out_stride] = silu(gate) * up, both bf16 with one stride.
struct SwigluRows {
  const uint16_t *gate, *up;
  int64_t stride;
  int rows, cols;  // cols even
  uint16_t* out;
  int64_t out_stride;
  bool operator==(const SwigluRows&) const = default;
};

// Scatter: out[index[i]] = in[i]; else out[i] = in[index[i]]. rows: of index.
struct IndexedRows {
  const float* in;
  const int32_t* index;
  int rows, cols;
  int64_t in_stride, out_stride;
  float* out;
  bool scatter;
  bool operator==(const IndexedRows&) const = default;
};

// out[i] = table[ids[i]]
struct EmbedRows {
  const uint16_t* table;  // bf16 [vocabulary][cols]
  const int32_t* ids;     // [rows]
  int rows, cols;
  float* out;
  int64_t out_stride;
  bool operator==(const EmbedRows&) const = default;
};

// out[i] = mean of in's rows [ranges[2i], ranges[2i + 1])
struct MeanRows {
  const float* in;
  const int32_t* ranges;  // [rows][2]
  int rows, cols;
  int64_t in_stride, out_stride;
  float* out;
  bool operator==(const MeanRows&) const = default;
};

struct FloatRows {
  float* x;
  int rows, cols;
  int64_t stride;
  bool operator==(const FloatRows&) const = default;
};

struct DeviceApi {
  uint32_t version;  // kDeviceApiVersion

  const char* (*error_text)(int error) noexcept;
  // 13000 for CUDA 13.0; driver 0: none is installed.
  int (*versions)(int* driver, int* runtime) noexcept;
  int (*device_count)(int* count) noexcept;
  int (*device_info)(int device, DeviceInfo* info) noexcept;
  // Once per process and device, before its first kernel.
  int (*prepare)(int device) noexcept;
  // The calling thread's device from now on.
  int (*use)(int device) noexcept;

  int (*memory_info)(uint64_t* free_bytes, uint64_t* total_bytes) noexcept;
  int (*allocate)(void** memory, size_t bytes) noexcept;         // 256-byte aligned; does not wait
  int (*release)(void* memory) noexcept;                         // waits for what may use it
  int (*allocate_pinned)(void** memory, size_t bytes) noexcept;  // host memory that copies run from at full speed
  int (*release_pinned)(void* memory) noexcept;
  int (*create_stream)(Stream* stream) noexcept;
  int (*destroy_stream)(Stream stream) noexcept;
  int (*synchronize)(Stream stream) noexcept;  // waits, and reports what failed since
  int (*copy)(void* to, const void* from, size_t bytes, Stream stream) noexcept;  // between any two memories
  int (*clear)(void* memory, size_t bytes, Stream stream) noexcept;
  int (*clear_rows)(void* memory, size_t row_bytes, size_t stride_bytes, int rows, Stream stream) noexcept;

  // From begin_capture to end_capture nothing runs: what the thread queues on the stream becomes a graph instead, addresses and
  // all, and may not allocate, release or wait. A graph is launched as often as wanted, on any stream of its device.
  int (*begin_capture)(Stream stream) noexcept;
  int (*end_capture)(Stream stream, Graph* graph) noexcept;
  int (*launch_graph)(Graph graph, Stream stream) noexcept;
  int (*destroy_graph)(Graph graph) noexcept;

  int (*norm_rows)(const NormRows&, Stream) noexcept;
  int (*cast_rows)(const CastRows&, Stream) noexcept;
  int (*quantize_rows)(const QuantizeRows&, Stream) noexcept;
  int (*rotary_table)(const RotaryRows&, Stream) noexcept;
  int (*rotate_rows)(const RotateRows&, Stream) noexcept;
  int (*swiglu_rows)(const SwigluRows&, Stream) noexcept;
  int (*gelu_rows)(const FloatRows&, Stream) noexcept;
  int (*indexed_rows)(const IndexedRows&, Stream) noexcept;
  int (*embed_rows)(const EmbedRows&, Stream) noexcept;
  int (*mean_rows)(const MeanRows&, Stream) noexcept;
  int (*normalize_rows)(const FloatRows&, Stream) noexcept;  // x / max(|x|, 1e-12)

  int (*attention)(const FlashAttention&, Stream) noexcept;
  int (*matmul)(const Matmul&, Stream) noexcept;
  size_t (*packed_weight_bytes)(DType, int n, int k) noexcept;
  int (*pack_weight)(DType, const std::byte* rows, int n, int k, std::byte* packed, Stream) noexcept;
  // Any stored type -> out bf16 [n][out_stride], k values a row and, where k is odd, a zero; columns beyond keep what they hold.
  int (*expand)(DType, const std::byte* rows, int n, int k, uint16_t* out, int64_t out_stride, Stream) noexcept;
};

// The one symbol that libembed4j_cuda exports: the table, or null when it has another version.
inline constexpr char kDeviceApiFactory[] = "e4j_cuda_device_api";
using DeviceApiFactory = const DeviceApi* (*)(uint32_t version) noexcept;

// Error numbers of the CUDA runtime that are told apart (cudaError_t, driver_types.h).
inline constexpr int kOutOfMemory = 2;           // cudaErrorMemoryAllocation
inline constexpr int kNoDevice = 100;            // cudaErrorNoDevice

}  // namespace e4j::cuda
