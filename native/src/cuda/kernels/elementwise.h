// Launches of the element-wise kernels, as device_api.h describes them.
#pragma once
#include <cuda_runtime_api.h>

#include "cuda/device_api.h"

namespace e4j::cuda {

cudaError_t launch_norm_rows(const NormRows&, cudaStream_t);
cudaError_t launch_cast_rows(const CastRows&, cudaStream_t);
cudaError_t launch_quantize_rows(const QuantizeRows&, cudaStream_t);
cudaError_t launch_rotary_table(const RotaryRows&, cudaStream_t);
// half is a multiple of 8; x is 16-byte aligned and its stride a multiple of 8.
cudaError_t launch_rotate_rows(const RotateRows&, cudaStream_t);
// cols and strides are multiples of 8, pointers 16-byte aligned.
cudaError_t launch_swiglu_rows(const SwigluRows&, cudaStream_t);
cudaError_t launch_gelu_rows(const FloatRows&, cudaStream_t);
cudaError_t launch_indexed_rows(const IndexedRows&, cudaStream_t);
cudaError_t launch_embed_rows(const EmbedRows&, cudaStream_t);
cudaError_t launch_mean_rows(const MeanRows&, cudaStream_t);
cudaError_t launch_normalize_rows(const FloatRows&, cudaStream_t);

}  // namespace e4j::cuda
