// The CUDA backend: every operation of ops.h on one NVIDIA GPU. The residual stream is float32, what lies between the products of
// a layer bf16. Its kernels are in libembed4j_cuda (device_api.h), loaded when a backend is made.
#pragma once
#include <memory>
#include <string>

#include "ops/ops.h"

namespace e4j::cuda {

struct CudaOptions {
  int index = 0;                  // of the GPU
  std::string library;            // libembed4j_cuda; empty: looked for (device_library.h)
  std::string cublas_lt_library;  // empty: looked for (cublas_lt.h)
  bool fp8 = false;               // layers that may be rounded multiply in e4m3; from compute capability 8.9 on
};

// GPUs of this machine. Fails as below when there is none or they cannot be asked.
int count_cuda_devices(const std::string& library);

// Fails with E4J_DEVICE_UNAVAILABLE, saying what was looked for, found and expected.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options);

}  // namespace e4j::cuda
