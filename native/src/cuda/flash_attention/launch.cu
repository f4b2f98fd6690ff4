#include "cuda/flash_attention/kernel.h"

namespace e4j::cuda {
namespace {

// Two blocks of 128 threads on an SM may have 255 registers each.
template <class Traits>
__global__ void __launch_bounds__(Traits::kThreads, 2) attention_kernel(const __grid_constant__ AttentionArguments call) {
  attention_tile<Traits>(call);
}

template <class Traits>
cudaError_t prepare() {
  return cudaFuncSetAttribute(attention_kernel<Traits>, cudaFuncAttributeMaxDynamicSharedMemorySize, Traits::kSharedBytes);
}

template <class Traits>
cudaError_t launch(const FlashAttention& call, cudaStream_t stream) {
  attention_kernel<Traits><<<static_cast<unsigned>(call.tile_count), Traits::kThreads, Traits::kSharedBytes, stream>>>(attention_arguments(call));
  return cudaGetLastError();
}

}  // namespace

cudaError_t prepare_flash_attention() {
  for (const auto prepare_one : {prepare<Causal128>, prepare<Full80>, prepare<Window80>})
    if (const cudaError_t error = prepare_one(); error != cudaSuccess) return error;
  return cudaSuccess;
}

cudaError_t launch_flash_attention(const FlashAttention& call, cudaStream_t stream) {
  if (call.tile_count == 0) return cudaSuccess;
  switch (call.kernel) {
    case AttentionKernel::kCausal128: return launch<Causal128>(call, stream);
    case AttentionKernel::kFull80: return launch<Full80>(call, stream);
    case AttentionKernel::kWindow80: return launch<Window80>(call, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace e4j::cuda
