#include "cuda/device_library.h"

#include <cstdlib>

#include "base/status.h"

namespace e4j::cuda {
namespace {

constexpr char kLibrary[] = "libembed4j_cuda.so";

LibraryPlaces places(const std::string& library) {
  LibraryPlaces p{kLibrary, {}, "Add io.embed4j:embed4j-natives with the classifier linux-x86_64-cuda to the class path, or set "
                                "EMBED4J_CUDA_LIBRARY to its path. A build with nvcc 13 makes it."};
  const char* variable = std::getenv("EMBED4J_CUDA_LIBRARY");
  if (variable != nullptr && *variable != 0) {
    p.paths = {variable};
  } else if (!library.empty()) {
    p.paths = {library};
  } else {
    if (const std::string folder = own_folder(); !folder.empty()) p.paths.push_back(folder + kLibrary);
    p.paths.push_back(kLibrary);
  }
  return p;
}

const DeviceApi* bind(const SharedObject& library) {
  const auto factory = reinterpret_cast<DeviceApiFactory>(library.find(kDeviceApiFactory));
  if (factory == nullptr)
    fail(E4J_DEVICE_UNAVAILABLE, "%s has no function %s: it is not Embed4J's CUDA library", library.path().c_str(), kDeviceApiFactory);
  const DeviceApi* api = factory(kDeviceApiVersion);
  if (api == nullptr || api->version != kDeviceApiVersion)
    fail(E4J_DEVICE_UNAVAILABLE, "%s is not of the version of this library, whose device interface is %u: use both from one build",
         library.path().c_str(), kDeviceApiVersion);
  return api;
}

// GPUs that the driver sees, at least one; what is checked on the way is the driver itself.
int counted(const DeviceApi& api, int* runtime_version) {
  int driver = 0, count = 0;
  int error = api.versions(&driver, runtime_version);
  const std::string runtime = cuda_version_text(*runtime_version);
  if (error != 0) fail(E4J_DEVICE_UNAVAILABLE, "the NVIDIA driver cannot be asked for its version: %s", api.error_text(error));
  if (driver == 0)
    fail(E4J_DEVICE_UNAVAILABLE, "no NVIDIA driver is installed (libcuda.so.1 was not found); one for CUDA %s or newer is needed",
         runtime.c_str());
  // Within a major version any driver runs what a newer toolkit of it compiled (CUDA Compatibility guide, minor versions).
  if (driver / 1000 < *runtime_version / 1000)
    fail(E4J_DEVICE_UNAVAILABLE, "the NVIDIA driver is of CUDA %s; this build needs one of CUDA %d.0 or newer: update the driver",
         cuda_version_text(driver).c_str(), *runtime_version / 1000);
  error = api.device_count(&count);
  if (error == kNoDevice || (error == 0 && count == 0))
    fail(E4J_DEVICE_UNAVAILABLE, "the NVIDIA driver (CUDA %s) sees no GPU; CUDA_VISIBLE_DEVICES may hide it", cuda_version_text(driver).c_str());
  if (error != 0) fail(E4J_DEVICE_UNAVAILABLE, "the GPUs cannot be counted: %s", api.error_text(error));
  return count;
}

}  // namespace

std::string cuda_version_text(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

int Device::count(const std::string& library) {
  int runtime_version = 0;
  return counted(*bind(SharedObject(places(library))), &runtime_version);
}

Device::Device(const std::string& library, int index) : library_(places(library)), api_(bind(library_)), index_(index) {
  const int count = counted(*api_, &runtime_version_);
  if (index >= count)
    fail(E4J_DEVICE_UNAVAILABLE, "there is no device cuda:%d; this machine has %d, from cuda:0", index, count);
  if (const int error = api_->device_info(index, &info_); error != 0)
    fail(E4J_DEVICE_UNAVAILABLE, "cuda:%d cannot be asked what it is: %s", index, api_->error_text(error));
  if (info_.major < kLeastMajor)
    fail(E4J_DEVICE_UNAVAILABLE, "cuda:%d (%s) has compute capability %d.%d; %d.0 or newer is needed", index, info_.name, info_.major,
         info_.minor, kLeastMajor);
  if (const int error = api_->prepare(index); error != 0)
    fail(E4J_DEVICE_UNAVAILABLE, "cuda:%d (%s) cannot be used: %s", index, info_.name, api_->error_text(error));
}

void Device::check(int error, const char* what) const {
  if (error == 0) return;
  fail(error == kOutOfMemory ? E4J_OUT_OF_MEMORY : E4J_INTERNAL, "cuda:%d: %s: %s", index_, what, api_->error_text(error));
}

uint64_t Device::free_bytes() const {
  uint64_t free = 0, total = 0;
  check(api_->memory_info(&free, &total), "asking for free memory");
  return free;
}

}  // namespace e4j::cuda
