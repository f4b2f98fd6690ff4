#include "cuda/kernels/elementwise.h"

#include <cuda_fp8.h>

#include "cuda/element.h"

namespace e4j::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarp = 32;
constexpr int kMeanRows = 8;  // rows of a range that a block of mean_rows reads at once

// Eight bf16 in one 16-byte access.
struct alignas(16) Bf16x8 {
  uint16_t v[8];
};

unsigned blocks(int64_t items) noexcept { return static_cast<unsigned>((items + kThreads - 1) / kThreads); }

bool aligned(const void* p, uintptr_t bytes) noexcept { return reinterpret_cast<uintptr_t>(p) % bytes == 0; }

// The block's sum, in every thread; blockDim.x is kThreads.
__device__ float block_sum(float value) {
  __shared__ float partial[kThreads / kWarp];
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = value;
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < kThreads / kWarp; ++i) sum += partial[i];
  return sum;
}

__device__ float row_square(const float* x, int cols) {
  float square = 0;
  for (int i = static_cast<int>(threadIdx.x); i < cols; i += kThreads) square += x[i] * x[i];
  return block_sum(square);
}

// One block per row.
__global__ void __launch_bounds__(kThreads) norm_rows_kernel(const __grid_constant__ NormRows c) {
  const int64_t r = blockIdx.x;
  const float* x = c.x + r * c.x_stride;
  const float scale = rms_scale(row_square(x, c.cols), c.cols, c.eps);
  for (int i = static_cast<int>(threadIdx.x); i < c.out_cols; i += kThreads) {
    const float y = i < c.cols ? x[i] * scale * c.weight[i] : 0.0f;
    if (c.out_f32 != nullptr)
      c.out_f32[r * c.out_stride + i] = y;
    else
      c.out_bf16[r * c.out_stride + i] = to_bf16(y);
  }
}

// The same for rows of which four values are one access: x and weight 16-byte aligned, out_bf16 8-byte.
__global__ void __launch_bounds__(kThreads) norm_rows_by_four_kernel(const __grid_constant__ NormRows c) {
  const int64_t r = blockIdx.x;
  const float4* x = reinterpret_cast<const float4*>(c.x + r * c.x_stride);
  const float4* weight = reinterpret_cast<const float4*>(c.weight);
  float square = 0;
  for (int i = static_cast<int>(threadIdx.x); i < c.cols / 4; i += kThreads) {
    const float4 v = x[i];
    square += v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
  }
  const float scale = rms_scale(block_sum(square), c.cols, c.eps);
  ushort4* out = reinterpret_cast<ushort4*>(c.out_bf16 + r * c.out_stride);
  for (int i = static_cast<int>(threadIdx.x); i < c.out_cols / 4; i += kThreads) {
    ushort4 y{0, 0, 0, 0};
    if (i < c.cols / 4) {
      const float4 v = x[i], w = weight[i];
      y = {to_bf16(v.x * scale * w.x), to_bf16(v.y * scale * w.y), to_bf16(v.z * scale * w.z), to_bf16(v.w * scale * w.w)};
    }
    out[i] = y;
  }
}

__global__ void __launch_bounds__(kThreads) normalize_rows_kernel(const __grid_constant__ FloatRows c) {
  float* x = c.x + static_cast<int64_t>(blockIdx.x) * c.stride;
  const float scale = l2_scale(row_square(x, c.cols));
  for (int i = static_cast<int>(threadIdx.x); i < c.cols; i += kThreads) x[i] *= scale;
}

// Of values >= 0; in every thread, as block_sum.
__device__ float block_max(float value) {
  __shared__ float partial[kThreads / kWarp];
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = value;
  __syncthreads();
  for (int i = 0; i < kThreads / kWarp; ++i) value = fmaxf(value, partial[i]);
  return value;
}

__device__ Bf16x8 octet(const QuantizeRows& c, int64_t row, int col) {
  return *reinterpret_cast<const Bf16x8*>(c.x + row * c.x_stride + col);
}
__device__ float row_most(const QuantizeRows& c, int64_t row) {
  float most = 0;
  for (int i = static_cast<int>(threadIdx.x) * 8; i < c.cols; i += kThreads * 8) {
    const Bf16x8 x = octet(c, row, i);
    for (int j = 0; j < 8; ++j) most = fmaxf(most, fabsf(from_bf16(x.v[j])));
  }
  return block_max(most);
}
// As to_e4m3, by the instruction where there is one.
__device__ uint32_t e4m3(float x) {
#if __CUDA_ARCH__ >= 890
  return __nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E4M3);
#else
  return to_e4m3(x);
#endif
}

// The largest magnitude of all rows, as bits: those of values >= 0 are ordered as the values are.
__global__ void __launch_bounds__(kThreads) largest_kernel(const __grid_constant__ QuantizeRows c) {
  const float most = row_most(c, blockIdx.x);
  if (threadIdx.x == 0) atomicMax(reinterpret_cast<unsigned*>(c.scales + 1), __float_as_uint(most));
}

// One block per row, which it finds in L1 the second time.
__global__ void __launch_bounds__(kThreads) quantize_rows_kernel(const __grid_constant__ QuantizeRows c) {
  const int64_t r = blockIdx.x;
  const float scale = e4m3_scale(c.by_rows ? row_most(c, r) : c.scales[1]), inverse = 1.0f / scale;
  if (threadIdx.x == 0 && (c.by_rows || r == 0)) c.scales[c.by_rows ? r : 0] = scale;
  for (int i = static_cast<int>(threadIdx.x) * 8; i < c.cols; i += kThreads * 8) {
    const Bf16x8 x = octet(c, r, i);
    uint32_t words[2] = {0, 0};
#pragma unroll
    for (int j = 0; j < 8; ++j) words[j / 4] |= e4m3(from_bf16(x.v[j]) * inverse) << (j % 4 * 8);
    *reinterpret_cast<uint2*>(c.out + r * c.out_stride + i) = {words[0], words[1]};
  }
}

// One thread per value; rows * cols of them.
__global__ void __launch_bounds__(kThreads) cast_rows_kernel(const __grid_constant__ CastRows c) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x, r = at / c.out_cols, i = at % c.out_cols;
  if (r < c.rows) c.out[r * c.out_stride + i] = i < c.cols ? to_bf16(c.x[r * c.x_stride + i]) : uint16_t{0};
}

__global__ void __launch_bounds__(kThreads) rotary_table_kernel(const __grid_constant__ RotaryRows c) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int r = static_cast<int>(at / c.half), j = static_cast<int>(at % c.half);
  if (r >= c.rows) return;
  const float angle = rotary_angle(c.positions[rotary_index(c.axis[j], r, c.rows)], c.inv_freq[j]);
  c.cos[at] = cosf(angle);
  c.sin[at] = sinf(angle);
}

// One thread per eight pairs of a head.
__global__ void __launch_bounds__(kThreads) rotate_rows_kernel(const __grid_constant__ RotateRows c) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int octets = c.num_heads * c.half / 8, pair = static_cast<int>(at % octets) * 8;
  const int64_t r = at / octets;
  if (r >= c.rows) return;
  uint16_t* x = c.x + r * c.stride + pair_column(pair, c.half);
  Bf16x8 first = *reinterpret_cast<const Bf16x8*>(x), second = *reinterpret_cast<const Bf16x8*>(x + c.half);
  const int64_t angle = r * c.half + pair % c.half;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const Pair y = rotated(from_bf16(first.v[i]), from_bf16(second.v[i]), c.cos[angle + i], c.sin[angle + i]);
    first.v[i] = to_bf16(y.first);
    second.v[i] = to_bf16(y.second);
  }
  *reinterpret_cast<Bf16x8*>(x) = first;
  *reinterpret_cast<Bf16x8*>(x + c.half) = second;
}

__global__ void __launch_bounds__(kThreads) swiglu_rows_kernel(const __grid_constant__ SwigluRows c) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x, r = at / (c.cols / 8), i = at % (c.cols / 8) * 8;
  if (r >= c.rows) return;
  const Bf16x8 gate = *reinterpret_cast<const Bf16x8*>(c.gate + r * c.stride + i), up = *reinterpret_cast<const Bf16x8*>(c.up + r * c.stride + i);
  Bf16x8 out;
#pragma unroll
  for (int j = 0; j < 8; ++j) out.v[j] = to_bf16(silu_times(from_bf16(gate.v[j]), from_bf16(up.v[j])));
  *reinterpret_cast<Bf16x8*>(c.out + r * c.out_stride + i) = out;
}

__global__ void __launch_bounds__(kThreads) gelu_rows_kernel(const __grid_constant__ FloatRows c) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x, r = at / c.cols;
  if (r < c.rows) c.x[r * c.stride + at % c.cols] = gelu(c.x[r * c.stride + at % c.cols]);
}

__global__ void __launch_bounds__(kThreads) indexed_rows_kernel(const __grid_constant__ IndexedRows c) {
  const int64_t r = blockIdx.x, from = c.scatter ? r : c.index[r], to = c.scatter ? c.index[r] : r;
  for (int i = static_cast<int>(threadIdx.x); i < c.cols; i += kThreads) c.out[to * c.out_stride + i] = c.in[from * c.in_stride + i];
}

__global__ void __launch_bounds__(kThreads) embed_rows_kernel(const __grid_constant__ EmbedRows c) {
  const int64_t r = blockIdx.x;
  const uint16_t* row = c.table + static_cast<int64_t>(c.ids[r]) * c.cols;
  for (int i = static_cast<int>(threadIdx.x); i < c.cols; i += kThreads) c.out[r * c.out_stride + i] = from_bf16(row[i]);
}

// Block (kWarp, kMeanRows): a warp's columns of one range, its rows dealt out over the block.
__global__ void mean_rows_kernel(const __grid_constant__ MeanRows c) {
  __shared__ double partial[kMeanRows][kWarp];
  const int64_t r = blockIdx.y;
  const int col = static_cast<int>(blockIdx.x * kWarp + threadIdx.x), begin = c.ranges[2 * r], end = c.ranges[2 * r + 1];
  double sum = 0;
  if (col < c.cols)
    for (int i = begin + static_cast<int>(threadIdx.y); i < end; i += kMeanRows) sum += c.in[i * c.in_stride + col];
  partial[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || col >= c.cols) return;
  for (int i = 1; i < kMeanRows; ++i) sum += partial[i][threadIdx.x];
  c.out[r * c.out_stride + col] = static_cast<float>(sum / (end - begin));
}

}  // namespace

// Launches of nothing are errors to CUDA.
#define E4J_LAUNCH(kernel, grid, block)                                    \
  do {                                                                     \
    if (c.rows == 0) return cudaSuccess;                                   \
    kernel<<<(grid), (block), 0, stream>>>(c);                             \
    return cudaGetLastError();                                             \
  } while (false)

cudaError_t launch_norm_rows(const NormRows& c, cudaStream_t stream) {
  const bool by_four = c.out_bf16 != nullptr && c.cols % 4 == 0 && c.out_cols % 4 == 0 && c.x_stride % 4 == 0 && c.out_stride % 4 == 0 &&
                       aligned(c.x, 16) && aligned(c.weight, 16) && aligned(c.out_bf16, 8);
  if (by_four) E4J_LAUNCH(norm_rows_by_four_kernel, static_cast<unsigned>(c.rows), kThreads);
  E4J_LAUNCH(norm_rows_kernel, static_cast<unsigned>(c.rows), kThreads);
}
cudaError_t launch_cast_rows(const CastRows& c, cudaStream_t stream) {
  E4J_LAUNCH(cast_rows_kernel, blocks(static_cast<int64_t>(c.rows) * c.out_cols), kThreads);
}
cudaError_t launch_quantize_rows(const QuantizeRows& c, cudaStream_t stream) {
  if (c.cols % 8 != 0 || c.x_stride % 8 != 0 || c.out_stride % 16 != 0 || !aligned(c.x, 16) || !aligned(c.out, 16)) return cudaErrorInvalidValue;
  if (!c.by_rows && c.rows > 0) {
    if (const cudaError_t error = cudaMemsetAsync(c.scales, 0, 2 * sizeof(float), stream); error != cudaSuccess) return error;
    largest_kernel<<<static_cast<unsigned>(c.rows), kThreads, 0, stream>>>(c);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  }
  E4J_LAUNCH(quantize_rows_kernel, static_cast<unsigned>(c.rows), kThreads);
}
cudaError_t launch_rotary_table(const RotaryRows& c, cudaStream_t stream) {
  E4J_LAUNCH(rotary_table_kernel, blocks(static_cast<int64_t>(c.rows) * c.half), kThreads);
}
cudaError_t launch_rotate_rows(const RotateRows& c, cudaStream_t stream) {
  if (c.half % 8 != 0 || c.stride % 8 != 0 || !aligned(c.x, 16)) return cudaErrorInvalidValue;
  E4J_LAUNCH(rotate_rows_kernel, blocks(static_cast<int64_t>(c.rows) * c.num_heads * c.half / 8), kThreads);
}
cudaError_t launch_swiglu_rows(const SwigluRows& c, cudaStream_t stream) {
  if (c.cols % 8 != 0 || c.stride % 8 != 0 || c.out_stride % 8 != 0 || !aligned(c.gate, 16) || !aligned(c.up, 16) || !aligned(c.out, 16))
    return cudaErrorInvalidValue;
  E4J_LAUNCH(swiglu_rows_kernel, blocks(static_cast<int64_t>(c.rows) * c.cols / 8), kThreads);
}
cudaError_t launch_gelu_rows(const FloatRows& c, cudaStream_t stream) {
  E4J_LAUNCH(gelu_rows_kernel, blocks(static_cast<int64_t>(c.rows) * c.cols), kThreads);
}
cudaError_t launch_indexed_rows(const IndexedRows& c, cudaStream_t stream) { E4J_LAUNCH(indexed_rows_kernel, static_cast<unsigned>(c.rows), kThreads); }
cudaError_t launch_embed_rows(const EmbedRows& c, cudaStream_t stream) { E4J_LAUNCH(embed_rows_kernel, static_cast<unsigned>(c.rows), kThreads); }
cudaError_t launch_mean_rows(const MeanRows& c, cudaStream_t stream) {
  if (c.rows > 65535) {  // the grid's second dimension
    MeanRows part = c;
    for (int first = 0; first < c.rows; first += 65535) {
      part.rows = c.rows - first < 65535 ? c.rows - first : 65535;
      part.ranges = c.ranges + 2 * static_cast<int64_t>(first);
      part.out = c.out + first * c.out_stride;
      if (const cudaError_t error = launch_mean_rows(part, stream); error != cudaSuccess) return error;
    }
    return cudaSuccess;
  }
  E4J_LAUNCH(mean_rows_kernel, dim3(static_cast<unsigned>((c.cols + kWarp - 1) / kWarp), static_cast<unsigned>(c.rows)), dim3(kWarp, kMeanRows));
}
cudaError_t launch_normalize_rows(const FloatRows& c, cudaStream_t stream) { E4J_LAUNCH(normalize_rows_kernel, static_cast<unsigned>(c.rows), kThreads); }

}  // namespace e4j::cuda
