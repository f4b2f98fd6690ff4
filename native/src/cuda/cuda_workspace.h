// What one session of the CUDA backend computes in.
#pragma once
#include "cuda/call_queue.h"
#include "cuda/cuda_memory.h"

namespace e4j::cuda {

class CudaWorkspace final : public Workspace {
 public:
  CudaWorkspace(const Device& device, const CublasLt& cublas)
      : matmul_memory(device, kMatmulWorkspaceBytes), queue(device, cublas), uploads(device), normed(device), qkv(device), gate_up(device),
        hidden(device), shrunk(device), rounded(device), cos(device), sin(device), scales(device) {
    queue.add(ClearRows{matmul_memory.data(), kMatmulWorkspaceBytes, kMatmulWorkspaceBytes, 1});
    queue.finish();
  }
  ~CudaWorkspace() override { queue.abandon(); }

  // Memory whose former contents the calls before may still need.
  template <class T>
  T* reserve(DeviceScratch& scratch, size_t count) {
    if (!scratch.holds(count * sizeof(T))) queue.flush();
    return scratch.reserve_for<T>(count);
  }
  uint16_t* reserve_rows(DeviceScratch& scratch, int rows, int64_t cols) {
    return reserve<uint16_t>(scratch, static_cast<size_t>(rows) * static_cast<size_t>(cols));
  }
  template <class T>
  const T* upload(std::span<const T> values) {
    return uploads.upload(values, queue);
  }

  DeviceMemory matmul_memory;
  CallQueue queue;
  Uploads uploads;
  DeviceScratch normed, qkv, gate_up, hidden, shrunk;  // bf16
  DeviceScratch rounded;                               // e4m3
  DeviceScratch cos, sin, scales;                      // float32
};

}  // namespace e4j::cuda
