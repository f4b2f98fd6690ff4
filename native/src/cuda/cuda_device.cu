// libembed4j_cuda: the table of device_api.h on the CUDA runtime.
#include <cuda_runtime.h>

#include <cstdio>

#include "cuda/device_api.h"
#include "cuda/kernels/elementwise.h"

namespace e4j::cuda {
namespace {

static_assert(kOutOfMemory == cudaErrorMemoryAllocation && kNoDevice == cudaErrorNoDevice);

// An error that was returned must not be seen again by the next launch.
int told(cudaError_t error) noexcept {
  if (error != cudaSuccess) (void)cudaGetLastError();
  return error;
}

int versions(int* driver, int* runtime) noexcept {
  const cudaError_t error = cudaDriverGetVersion(driver);
  return told(error != cudaSuccess ? error : cudaRuntimeGetVersion(runtime));
}

int device_info(int device, DeviceInfo* info) noexcept {
  cudaDeviceProp properties{};
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, device); error != cudaSuccess) return told(error);
  std::snprintf(info->name, sizeof info->name, "%s", properties.name);
  info->major = properties.major;
  info->minor = properties.minor;
  info->total_bytes = properties.totalGlobalMem;
  return 0;
}

int prepare(int device) noexcept {
  if (const cudaError_t error = cudaSetDevice(device); error != cudaSuccess) return told(error);
  if (const cudaError_t error = prepare_flash_attention(); error != cudaSuccess) return told(error);
  return told(prepare_matmul());
}

int memory_info(uint64_t* free_bytes, uint64_t* total_bytes) noexcept {
  size_t free = 0, total = 0;
  const cudaError_t error = cudaMemGetInfo(&free, &total);
  *free_bytes = free;
  *total_bytes = total;
  return told(error);
}

int end_capture(Stream stream, Graph* graph) noexcept {
  cudaGraph_t captured = nullptr;
  cudaError_t error = cudaStreamEndCapture(stream, &captured);
  if (error == cudaSuccess) error = cudaGraphInstantiate(graph, captured, 0);
  if (captured != nullptr) (void)cudaGraphDestroy(captured);
  return told(error);
}

template <auto Launch, class Call>
int launched(const Call& call, Stream stream) noexcept {
  return told(Launch(call, stream));
}

constexpr DeviceApi kApi{
    .version = kDeviceApiVersion,
    .error_text = [](int error) noexcept { return cudaGetErrorString(static_cast<cudaError_t>(error)); },
    .versions = versions,
    .device_count = [](int* count) noexcept { return told(cudaGetDeviceCount(count)); },
    .device_info = device_info,
    .prepare = prepare,
    .use = [](int device) noexcept { return told(cudaSetDevice(device)); },
    .memory_info = memory_info,
    .allocate = [](void** memory, size_t bytes) noexcept { return told(cudaMalloc(memory, bytes)); },
    .release = [](void* memory) noexcept { return told(cudaFree(memory)); },
    .allocate_pinned = [](void** memory, size_t bytes) noexcept { return told(cudaMallocHost(memory, bytes)); },
    .release_pinned = [](void* memory) noexcept { return told(cudaFreeHost(memory)); },
    .create_stream = [](Stream* stream) noexcept { return told(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking)); },
    .destroy_stream = [](Stream stream) noexcept { return told(cudaStreamDestroy(stream)); },
    .synchronize = [](Stream stream) noexcept { return told(cudaStreamSynchronize(stream)); },
    .copy = [](void* to, const void* from, size_t bytes, Stream stream) noexcept {
      return told(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream));
    },
    .clear = [](void* memory, size_t bytes, Stream stream) noexcept { return told(cudaMemsetAsync(memory, 0, bytes, stream)); },
    .clear_rows = [](void* memory, size_t row_bytes, size_t stride_bytes, int rows, Stream stream) noexcept {
      return told(cudaMemset2DAsync(memory, stride_bytes, 0, row_bytes, static_cast<size_t>(rows), stream));
    },
    // Thread-local: what other sessions allocate meanwhile does not concern this capture.
    .begin_capture = [](Stream stream) noexcept { return told(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal)); },
    .end_capture = end_capture,
    .launch_graph = [](Graph graph, Stream stream) noexcept { return told(cudaGraphLaunch(graph, stream)); },
    .destroy_graph = [](Graph graph) noexcept { return told(cudaGraphExecDestroy(graph)); },
    .norm_rows = launched<launch_norm_rows>,
    .cast_rows = launched<launch_cast_rows>,
    .quantize_rows = launched<launch_quantize_rows>,
    .rotary_table = launched<launch_rotary_table>,
    .rotate_rows = launched<launch_rotate_rows>,
    .swiglu_rows = launched<launch_swiglu_rows>,
    .gelu_rows = launched<launch_gelu_rows>,
    .indexed_rows = launched<launch_indexed_rows>,
    .embed_rows = launched<launch_embed_rows>,
    .mean_rows = launched<launch_mean_rows>,
    .normalize_rows = launched<launch_normalize_rows>,
    .attention = launched<launch_flash_attention>,
    .matmul = launched<launch_matmul>,
    .packed_weight_bytes = [](DType type, int n, int k) noexcept { return packed_weight_bytes(type, n, k); },
    .pack_weight = [](DType type, const std::byte* rows, int n, int k, std::byte* packed, Stream stream) noexcept {
      return told(launch_pack_weight(type, rows, n, k, packed, stream));
    },
    .expand = [](DType type, const std::byte* rows, int n, int k, uint16_t* out, int64_t out_stride, Stream stream) noexcept {
      return told(launch_expand(type, rows, n, k, out, out_stride, stream));
    },
};

}  // namespace
}  // namespace e4j::cuda

extern "C" __attribute__((visibility("default"))) const e4j::cuda::DeviceApi* e4j_cuda_device_api(uint32_t version) noexcept {
  return version == e4j::cuda::kDeviceApiVersion ? &e4j::cuda::kApi : nullptr;
}
