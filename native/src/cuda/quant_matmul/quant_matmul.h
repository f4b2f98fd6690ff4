// y = x W^T on tensor cores (bf16 products, float32 sums) from weights as they are stored: quantised blocks at any number of
// rows, bf16 at few rows, where reading the weights is what takes the time. What the host calls; the kernel is in kernel.h.
//
// A quantised weight is rounded to bf16 exactly as launch_expand rounds it, so both ways give products of the same operands.
#pragma once
#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

#if defined(E4J_CUDA)
#include <cuda_runtime_api.h>
#endif

namespace e4j::cuda {

// Up to this many rows of x the matmul is bound by reading weights: launch_matmul takes bf16 weights too. Above it bf16
// weights are the BLAS library's business, and quantised ones are still taken here.
inline constexpr int kSkinnyRows = 64;
// Of zeros, for every stream that calls launch_matmul; every call leaves zeros in the part where it needs them.
inline constexpr size_t kMatmulWorkspaceBytes = size_t{8} << 20;

// Quantised weights are packed once at load into the order in which a warp reads them: tiles of 32 output rows by 256 values
// of K (q8_0: by 64). About as large as the blocks of the file; rows and K are padded to whole tiles with zeros.
// type: Q8_0, Q4_K, Q5_K or Q6_K.
size_t packed_weight_bytes(DType type, int n, int k);
// rows [n][row_bytes(type, k)] as GGUF stores them -> packed [packed_weight_bytes(type, n, k)], both in host memory.
void pack_weight(DType type, const std::byte* rows, int n, int k, std::byte* packed);

// All pointers into device memory, 16-byte aligned (y: 8-byte); strides in elements.
struct Matmul {
  DType type;             // BF16, Q8_0, Q4_K, Q5_K or Q6_K
  const void* w;          // BF16: [n][w_stride]; quantised: packed
  int64_t w_stride;       // BF16 only; a multiple of 8
  const uint16_t* x;      // bf16 [m][x_stride]; x_stride is a multiple of 8
  int64_t x_stride;
  int m, n, k;            // k: a multiple of 8 for BF16, of the block otherwise; m <= kSkinnyRows for BF16; n even
  const float* bias;      // [n], or null
  float* y_f32;           // [m][y_stride], y_stride even: one of the two, the other null
  uint16_t* y_bf16;
  int64_t y_stride;
  bool accumulate;        // y += instead of =
  void* workspace;        // [kMatmulWorkspaceBytes]

  bool operator==(const Matmul&) const = default;
};

#if defined(E4J_CUDA)
// pack_weight with both in device memory; packed is 16-byte aligned.
cudaError_t launch_pack_weight(DType type, const std::byte* rows, int n, int k, std::byte* packed, cudaStream_t stream);
// rows [n][row_bytes(type, k)] as GGUF stores them, of any type -> out bf16 [n][out_stride], 4-byte aligned. k values a row are
// written and, where k is odd, a zero; columns beyond keep what they hold.
cudaError_t launch_expand(DType type, const std::byte* rows, int n, int k, uint16_t* out, int64_t out_stride, cudaStream_t stream);

// Once per device, before the first launch there.
cudaError_t prepare_matmul();
// One kernel on `stream`; allocates nothing and may be captured in a graph. The sums of a row do not depend on the other rows as
// long as m stays on one side of 16 and of kSkinnyRows, by which the kernel is chosen; above that the number of 128-row blocks
// counts too, by which K may be split.
cudaError_t launch_matmul(const Matmul& call, cudaStream_t stream);
#endif

}  // namespace e4j::cuda
