#include "cuda/quant_matmul/kernel.h"

namespace e4j::cuda {
namespace {

// Two blocks on an SM, as shared memory allows. (Without the 2 ptxas tries for more on sm_120, and spills.)
template <class Traits>
__global__ void __launch_bounds__(Traits::kThreads, 2) matmul_kernel(const __grid_constant__ MatmulArguments call) {
  MatmulLoop<Traits>(call).run();
}

template <class Traits>
cudaError_t prepare() {
  return cudaFuncSetAttribute(matmul_kernel<Traits>, cudaFuncAttributeMaxDynamicSharedMemorySize, Traits::kSharedBytes);
}

template <class Traits>
cudaError_t launch(const Matmul& call, const MatmulPlan& plan, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(plan.blocks_m) * static_cast<unsigned>(plan.blocks_n), static_cast<unsigned>(plan.splits));
  matmul_kernel<Traits><<<grid, Traits::kThreads, Traits::kSharedBytes, stream>>>(matmul_arguments(call, plan));
  return cudaGetLastError();
}

template <class Format>
cudaError_t prepare_format() {
  for (const auto prepare_one : {prepare<Rows16<Format>>, prepare<Rows64<Format>>, prepare<Rows128<Format>>})
    if (const cudaError_t error = prepare_one(); error != cudaSuccess) return error;
  return cudaSuccess;
}

}  // namespace

cudaError_t prepare_matmul() {
  for (const auto prepare_one : {prepare<Rows16<RowFormat>>, prepare<Rows64<RowFormat>>, prepare_format<PackedFormat<DType::Q8_0>>,
                                 prepare_format<PackedFormat<DType::Q4_K>>, prepare_format<PackedFormat<DType::Q5_K>>,
                                 prepare_format<PackedFormat<DType::Q6_K>>})
    if (const cudaError_t error = prepare_one(); error != cudaSuccess) return error;
  return cudaSuccess;
}

cudaError_t launch_matmul(const Matmul& call, cudaStream_t stream) {
  if (call.m == 0) return cudaSuccess;
  if (call.type == DType::BF16 && call.m > kSkinnyRows) return cudaErrorInvalidValue;
  int device = 0, multiprocessors = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) error = cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device);
  if (error != cudaSuccess) return error;
  const MatmulPlan plan = plan_matmul(call.m, call.n, call.k, multiprocessors);
  if (call.type == DType::BF16)
    return plan.block_m == 16 ? launch<Rows16<RowFormat>>(call, plan, stream) : launch<Rows64<RowFormat>>(call, plan, stream);
  return with_format(call.type, [&](auto format) {
    using Format = decltype(format);
    switch (plan.block_m) {
      case 16: return launch<Rows16<Format>>(call, plan, stream);
      case 64: return launch<Rows64<Format>>(call, plan, stream);
      default: return launch<Rows128<Format>>(call, plan, stream);
    }
  });
}

}  // namespace e4j::cuda
