// libembed4j_cuda on the host's side: found, checked and opened on one device.
#pragma once
#include <string>

#include "cuda/device_api.h"
#include "cuda/shared_object.h"

namespace e4j::cuda {

// The oldest processors that the kernels are compiled for.
inline constexpr int kLeastMajor = 8;  // compute capability 8.0: bf16 tensor cores and asynchronous copies

class Device {
 public:
  // The library at `library`, or where empty: in EMBED4J_CUDA_LIBRARY, beside this one, or where the system finds it; and its
  // device `index`, from 0. Fails with E4J_DEVICE_UNAVAILABLE, saying what was looked for, found and expected.
  Device(const std::string& library, int index);

  // How many there are; fails in the same way.
  static int count(const std::string& library);

  const DeviceApi& api() const noexcept { return *api_; }
  int index() const noexcept { return index_; }
  const DeviceInfo& info() const noexcept { return info_; }
  // The runtime's version, 13000 for CUDA 13.0.
  int runtime_version() const noexcept { return runtime_version_; }

  // Fails for an error number other than 0: E4J_OUT_OF_MEMORY or E4J_INTERNAL, naming `what` and the device.
  void check(int error, const char* what) const;
  uint64_t free_bytes() const;

 private:
  SharedObject library_;
  const DeviceApi* api_ = nullptr;
  int index_;
  DeviceInfo info_{};
  int runtime_version_ = 0;
};

// "13.0" for 13000
std::string cuda_version_text(int version);

}  // namespace e4j::cuda
