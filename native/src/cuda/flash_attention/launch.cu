#include "cuda/flash_attention/kernel.h"
#include "cuda/flash_attention/wgmma_kernel.h"

namespace e4j::cuda {
namespace {

// Two blocks of 128 threads on an SM may have 255 registers each.
template <class Traits>
__global__ void __launch_bounds__(Traits::kThreads, 2) attention_kernel(const __grid_constant__ AttentionArguments call) {
  attention_tile<AttentionTileLoop<Traits>>(call);
}

// One block on an SM. Where it was compiled for another processor it stops with an error.
__global__ void __launch_bounds__(WgmmaCausal128::kThreads, 1) wgmma_attention_kernel(const __grid_constant__ AttentionArguments call) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  attention_tile<WgmmaTileLoop<WgmmaCausal128>>(call);
#else
  __trap();
#endif
}

using Kernel = void (*)(AttentionArguments);

template <class Traits>
cudaError_t prepare(Kernel kernel) {
  return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Traits::kSharedBytes);
}

template <class Traits>
cudaError_t launch(Kernel kernel, const FlashAttention& call, cudaStream_t stream) {
  kernel<<<static_cast<unsigned>(call.tile_count), Traits::kThreads, Traits::kSharedBytes, stream>>>(attention_arguments(call));
  return cudaGetLastError();
}

}  // namespace

cudaError_t prepare_flash_attention() {
  for (const cudaError_t error : {prepare<Causal128>(attention_kernel<Causal128>), prepare<Full80>(attention_kernel<Full80>),
                                  prepare<Window80>(attention_kernel<Window80>)})
    if (error != cudaSuccess) return error;
  // Processors without so much shared memory refuse this, and then its launch.
  if (prepare<WgmmaCausal128>(wgmma_attention_kernel) != cudaSuccess) (void)cudaGetLastError();
  return cudaSuccess;
}

cudaError_t launch_flash_attention(const FlashAttention& call, cudaStream_t stream) {
  if (call.tile_count == 0) return cudaSuccess;
  switch (call.kernel) {
    case AttentionKernel::kCausal128: return launch<Causal128>(attention_kernel<Causal128>, call, stream);
    case AttentionKernel::kCausal128Wgmma: return launch<WgmmaCausal128>(wgmma_attention_kernel, call, stream);
    case AttentionKernel::kFull80: return launch<Full80>(attention_kernel<Full80>, call, stream);
    case AttentionKernel::kWindow80: return launch<Window80>(attention_kernel<Window80>, call, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace e4j::cuda
