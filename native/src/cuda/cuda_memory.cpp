#include "cuda/cuda_memory.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "cuda/call_queue.h"
#include "cuda/memory_plan.h"

namespace e4j::cuda {
namespace {

constexpr size_t kAlignment = 256;
constexpr size_t kLeastBlock = size_t{1} << 20;

}  // namespace

DeviceMemory::DeviceMemory(const Device& device, size_t bytes) : Memory(bytes), device_(device) {
  void* memory = nullptr;
  const int error = device.api().allocate(&memory, std::max<size_t>(bytes, 1));
  if (error == kOutOfMemory)
    fail(E4J_OUT_OF_MEMORY, "cuda:%d (%s): %s more are needed, %s of %s are free", device.index(), device.info().name,
         bytes_text(bytes).c_str(), bytes_text(device.free_bytes()).c_str(), bytes_text(device.info().total_bytes).c_str());
  device.check(error, "allocating memory");
  data_ = static_cast<float*>(memory);
}

DeviceMemory::~DeviceMemory() {
  device_.api().use(device_.index());
  device_.api().release(data_);
}

void* DeviceScratch::reserve(size_t bytes) {
  if (!holds(bytes)) {
    memory_ = nullptr;
    memory_ = std::make_unique<DeviceMemory>(device_, bytes);
  }
  return memory_->data();
}

PinnedMemory::PinnedMemory(const Device& device, size_t bytes) : device_(device), bytes_(bytes) {
  void* memory = nullptr;
  const int error = device.api().allocate_pinned(&memory, bytes);
  if (error == kOutOfMemory)
    fail(E4J_OUT_OF_MEMORY, "%s of pinned host memory for cuda:%d are not to be had", bytes_text(bytes).c_str(), device.index());
  device.check(error, "allocating pinned memory");
  data_ = static_cast<std::byte*>(memory);
}

PinnedMemory::~PinnedMemory() {
  device_.api().use(device_.index());
  device_.api().release_pinned(data_);
}

Uploads::Block Uploads::make(size_t bytes, bool on_device) const {
  Block block;
  block.pinned = std::make_unique<PinnedMemory>(device_, bytes);
  if (on_device) block.device = std::make_unique<DeviceMemory>(device_, bytes);
  return block;
}

void Uploads::reset() {
  for (const bool on_device : {false, true}) {
    Pool& pool = pools_[on_device];
    if (pool.blocks.size() > 1) {
      pool.blocks.clear();
      pool.blocks.push_back(make(pool.total, on_device));
    }
    for (Block& block : pool.blocks) block.used = 0;
    pool.total = 0;
  }
}

Uploads::Place Uploads::take(size_t bytes, bool on_device) {
  Pool& pool = pools_[on_device];
  const size_t size = (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  if (pool.blocks.empty() || pool.blocks.back().used + size > pool.blocks.back().pinned->bytes())
    pool.blocks.push_back(make(std::max(size, kLeastBlock), on_device));
  Block& block = pool.blocks.back();
  const Place place{block.pinned->data() + block.used, on_device ? block.device->data() + block.used : nullptr};
  block.used += size;
  pool.total += size;
  return place;
}

const std::byte* Uploads::copy(const void* values, size_t bytes, CallQueue& queue) {
  const Place place = take(bytes, true);
  if (bytes > 0) std::memcpy(place.pinned, values, bytes);
  queue.add(Transfer{place.device, place.pinned, bytes});
  return place.device;
}

}  // namespace e4j::cuda
