#include "cuda/flash_attention/kernel.h"
#include "cuda/flash_attention/wgmma_kernel.h"

namespace e4j::cuda {
namespace {

// Two blocks of 128 threads on an SM may have 255 registers each.
template <class Traits>
__global__ void __launch_bounds__(Traits::kThreads, 2) attention_kernel(const __grid_constant__ AttentionArguments call) {
  attention_tile<Traits>(call);
}

// One block on an SM. Where it was compiled for another processor it stops with an error.
__global__ void __launch_bounds__(WgmmaCausal128::kThreads, 1) wgmma_attention_kernel(const __grid_constant__ AttentionArguments call) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  wgmma_attention_tile<WgmmaCausal128>(call);
#else
  __trap();
#endif
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

cudaError_t launch_wgmma(const FlashAttention& call, cudaStream_t stream) {
  using Traits = WgmmaCausal128;
  wgmma_attention_kernel<<<static_cast<unsigned>(call.tile_count), Traits::kThreads, Traits::kSharedBytes, stream>>>(attention_arguments(call));
  return cudaGetLastError();
}

}  // namespace

cudaError_t prepare_flash_attention() {
  for (const auto prepare_one : {prepare<Causal128>, prepare<Full80>, prepare<Window80>})
    if (const cudaError_t error = prepare_one(); error != cudaSuccess) return error;
  // Processors without so much shared memory refuse this, and then its launch.
  if (cudaFuncSetAttribute(wgmma_attention_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, WgmmaCausal128::kSharedBytes) != cudaSuccess)
    (void)cudaGetLastError();
  return cudaSuccess;
}

cudaError_t launch_flash_attention(const FlashAttention& call, cudaStream_t stream) {
  if (call.tile_count == 0) return cudaSuccess;
  switch (call.kernel) {
    case AttentionKernel::kCausal128: return launch<Causal128>(call, stream);
    case AttentionKernel::kCausal128Wgmma: return launch_wgmma(call, stream);
    case AttentionKernel::kFull80: return launch<Full80>(call, stream);
    case AttentionKernel::kWindow80: return launch<Window80>(call, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace e4j::cuda
