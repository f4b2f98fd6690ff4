// Packing and expanding weights on the device, once at load.
#include "cuda/quant_matmul/packed.h"
#include "cuda/quant_matmul/quant_matmul.h"
#include "cuda/thread_block/primitives.h"

namespace e4j::cuda {
namespace {

constexpr unsigned kThreads = 256;

unsigned blocks_for(int64_t threads) { return static_cast<unsigned>((threads + kThreads - 1) / kThreads); }

int64_t stored_row_bytes(DType type, int k) { return static_cast<int64_t>(k / dtype_block(type)) * dtype_block_bytes(type); }

// A thread per row of units, unit and lane.
template <class Format>
__global__ void pack_kernel(const std::byte* rows, int64_t row_bytes, int n, int k, std::byte* packed) {
  const int units = (k + kUnitK - 1) / kUnitK;
  const int64_t at = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const auto r = static_cast<int>(at / kWarpSize / units);
  if (r * kUnitRows < n) pack_lane<Format>(rows, row_bytes, n, k, r, static_cast<int>(at / kWarpSize % units), static_cast<int>(at % kWarpSize), packed);
}

// A thread per two values.
__global__ void expand_kernel(DType type, const std::byte* rows, int64_t row_bytes, int n, int k, uint16_t* out, int64_t out_stride) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x, pairs = (k + 1) / 2;
  const auto row = static_cast<int>(at / pairs), column = static_cast<int>(at % pairs) * 2;
  if (row >= n) return;
  const std::byte* from = rows + row * row_bytes;
  const float low = stored_value(type, from, column, k);
  const float high = column + 1 < k ? stored_value(type, from, column + 1, k) : 0.0f;
  *reinterpret_cast<uint32_t*>(out + row * out_stride + column) = pack_bf16(low, high);
}

}  // namespace

cudaError_t launch_pack_weight(DType type, const std::byte* rows, int n, int k, std::byte* packed, cudaStream_t stream) {
  const int64_t lanes = static_cast<int64_t>((n + kUnitRows - 1) / kUnitRows) * ((k + kUnitK - 1) / kUnitK) * kWarpSize;
  return with_format(type, [&](auto format) {
    pack_kernel<decltype(format)><<<blocks_for(lanes), kThreads, 0, stream>>>(rows, stored_row_bytes(type, k), n, k, packed);
    return cudaGetLastError();
  });
}

cudaError_t launch_expand(DType type, const std::byte* rows, int n, int k, uint16_t* out, int64_t out_stride, cudaStream_t stream) {
  if (out_stride % 2 != 0 || out_stride < k) return cudaErrorInvalidValue;
  expand_kernel<<<blocks_for(n * static_cast<int64_t>((k + 1) / 2)), kThreads, 0, stream>>>(type, rows, stored_row_bytes(type, k), n, k, out, out_stride);
  return cudaGetLastError();
}

}  // namespace e4j::cuda
