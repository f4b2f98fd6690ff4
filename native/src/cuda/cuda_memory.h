// Memory on a GPU, and what a pass hands to it.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "cuda/device_library.h"
#include "ops/ops.h"

namespace e4j::cuda {

class CallQueue;

// Released when the object goes. Fails with E4J_OUT_OF_MEMORY, saying what was asked for and what is free.
class DeviceMemory final : public Memory {
 public:
  DeviceMemory(const Device& device, size_t bytes);
  ~DeviceMemory() override;
  DeviceMemory(const DeviceMemory&) = delete;

  std::byte* data() const noexcept { return reinterpret_cast<std::byte*>(data_); }
  template <class T>
  T* as() const noexcept {
    return reinterpret_cast<T*>(data_);
  }

 private:
  const Device& device_;
};

// Grows as needed; what it held is lost then.
class DeviceScratch {
 public:
  explicit DeviceScratch(const Device& device) : device_(device) {}
  bool holds(size_t bytes) const noexcept { return memory_ && bytes <= memory_->bytes(); }
  void* reserve(size_t bytes);
  template <class T>
  T* reserve_for(size_t count) {
    return static_cast<T*>(reserve(count * sizeof(T)));
  }

 private:
  const Device& device_;
  std::unique_ptr<DeviceMemory> memory_;
};

// Pinned host memory.
class PinnedMemory {
 public:
  PinnedMemory(const Device& device, size_t bytes);
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  std::byte* data() const noexcept { return data_; }
  size_t bytes() const noexcept { return bytes_; }

 private:
  const Device& device_;
  std::byte* data_ = nullptr;
  size_t bytes_;
};

// The arrays of a pass, copied to the device through pinned memory. Places are taken one after another and all given back
// by `reset`, which keeps one block as large as the last pass needed. Stays valid until then.
class Uploads {
 public:
  explicit Uploads(const Device& device) : device_(device) {}

  // The queue must have finished what it took from here.
  void reset();
  template <class T>
  const T* upload(std::span<const T> values, CallQueue& queue) {
    return reinterpret_cast<const T*>(copy(values.data(), values.size_bytes(), queue));
  }
  // Pinned memory only, for what is copied elsewhere or comes back.
  std::byte* stage(size_t bytes) { return take(bytes, false).pinned; }

 private:
  struct Place {
    std::byte *pinned, *device;
  };
  struct Block {
    std::unique_ptr<PinnedMemory> pinned;
    std::unique_ptr<DeviceMemory> device;
    size_t used = 0;
  };
  struct Pool {
    std::vector<Block> blocks;
    size_t total = 0;  // taken in this pass
  };
  const std::byte* copy(const void* values, size_t bytes, CallQueue& queue);
  Place take(size_t bytes, bool on_device);
  Block make(size_t bytes, bool on_device) const;

  const Device& device_;
  Pool pools_[2];  // pinned only, and with their place on the device
};

}  // namespace e4j::cuda
