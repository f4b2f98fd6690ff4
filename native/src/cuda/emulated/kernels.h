// What every kernel computes, plainly written, on host memory. Each returns 0 or a CUDA error number.
#pragma once
#include "cuda/device_api.h"

namespace e4j::cuda::emulated {

int norm_rows(const NormRows& call) noexcept;
int cast_rows(const CastRows& call) noexcept;
int quantize_rows(const QuantizeRows& call) noexcept;
int rotary_table(const RotaryRows& call) noexcept;
int rotate_rows(const RotateRows& call) noexcept;
int swiglu_rows(const SwigluRows& call) noexcept;
int gelu_rows(const FloatRows& call) noexcept;
int indexed_rows(const IndexedRows& call) noexcept;
int embed_rows(const EmbedRows& call) noexcept;
int mean_rows(const MeanRows& call) noexcept;
int normalize_rows(const FloatRows& call) noexcept;
int attention(const FlashAttention& call) noexcept;
int matmul(const Matmul& call) noexcept;
int expand(DType type, const std::byte* rows, int n, int k, uint16_t* out, int64_t out_stride) noexcept;

// The values are kept beside the memory, by its address: the packed order is the real kernels' business.
int pack_weight(DType type, const std::byte* rows, int n, int k, std::byte* packed) noexcept;
void forget_packed(const void* packed) noexcept;

}  // namespace e4j::cuda::emulated
