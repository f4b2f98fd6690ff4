#include "cuda/emulated/device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <map>
#include <mutex>
#include <new>

#include "cuda/emulated/kernels.h"
#include "cuda/emulated/stream.h"

namespace e4j::cuda {
namespace {

using emulated::Queue;

constexpr int kInvalidValue = 1, kInvalidDevice = 101, kInvalidHandle = 400, kIllegalAddress = 700, kNotWhileCapturing = 900;

uint64_t setting(const char* name, uint64_t otherwise) noexcept {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

uint64_t total_bytes() noexcept { return setting("EMULATED_BYTES", uint64_t{8} << 30); }
int device_count() noexcept { return static_cast<int>(setting("EMULATED_DEVICES", 1)); }

// As with CUDA, every thread has a device of its own, at first 0.
thread_local int thread_device = 0;
thread_local int captures = 0;  // that this thread has begun

struct Piece {
  size_t bytes;
  int device;
};
struct State {
  std::mutex mutex;
  std::map<const std::byte*, Piece> memory;
  std::map<int, uint64_t> used;  // by device
};
State& state() {
  static State one;
  return one;
}

int allocate(void** memory, size_t bytes) noexcept {
  if (captures > 0) return kNotWhileCapturing;
  std::lock_guard lock(state().mutex);
  if (state().used[thread_device] + bytes > total_bytes()) return kOutOfMemory;
  void* p = ::operator new(bytes, std::align_val_t{256}, std::nothrow);
  if (p == nullptr) return kOutOfMemory;
  std::memset(p, 0xff, bytes);  // NaN, in bf16 and float32: what is read before it is written shows
  state().memory[static_cast<std::byte*>(p)] = {bytes, thread_device};
  state().used[thread_device] += bytes;
  *memory = p;
  return 0;
}

int release(void* memory) noexcept {
  if (captures > 0) return kNotWhileCapturing;
  std::lock_guard lock(state().mutex);
  const auto found = state().memory.find(static_cast<std::byte*>(memory));
  if (found == state().memory.end()) return kInvalidValue;
  state().used[found->second.device] -= found->second.bytes;
  emulated::forget_packed(memory);
  state().memory.erase(found);
  ::operator delete(memory, std::align_val_t{256});
  return 0;
}

// The device whose live memory this is; -1: none's.
int owner(const void* p) noexcept {
  std::lock_guard lock(state().mutex);
  const auto* at = static_cast<const std::byte*>(p);
  auto found = state().memory.upper_bound(at);
  if (found == state().memory.begin()) return -1;
  --found;
  return at < found->first + found->second.bytes ? found->second.device : -1;
}

int memory_info(uint64_t* free_bytes, uint64_t* all_bytes) noexcept {
  std::lock_guard lock(state().mutex);
  *all_bytes = total_bytes();
  *free_bytes = *all_bytes - std::min(*all_bytes, state().used[thread_device]);
  return 0;
}

int device_info(int device, DeviceInfo* info) noexcept {
  if (device >= device_count()) return kInvalidDevice;
  const int capability = static_cast<int>(setting("EMULATED_CAPABILITY", 90));
  std::snprintf(info->name, sizeof info->name, "emulated GPU");
  info->major = capability / 10;
  info->minor = capability % 10;
  info->total_bytes = total_bytes();
  return 0;
}

int use(int device) noexcept {
  if (device >= device_count()) return kInvalidDevice;
  thread_device = device;
  return 0;
}

int create_stream(Stream* stream) noexcept {
  *stream = reinterpret_cast<Stream>(new Queue{thread_device, false, {}});
  return 0;
}
int destroy_stream(Stream stream) noexcept {
  delete reinterpret_cast<Queue*>(stream);
  return 0;
}

// Queues a step that touches `pointers`. On a stream, which only threads of its device may use, they must be live memory of that
// device by the time it runs; without one (cuda_device_test) they may be any memory.
template <class Step>
int queue(Stream stream, std::initializer_list<const void*> pointers, Step&& step) noexcept {
  auto* q = reinterpret_cast<Queue*>(stream);
  if (q == nullptr) return step();
  if (q->device != thread_device) return kInvalidHandle;
  return emulated::enqueue(stream, [device = q->device, touched = std::vector<const void*>(pointers), step] {
    for (const void* p : touched)
      if (p != nullptr && owner(p) != device) return kIllegalAddress;
    return step();
  });
}

// One side of a copy may be the host's.
int copy(void* to, const void* from, size_t bytes, Stream stream) noexcept {
  if (bytes == 0) return 0;
  const void* on_device = owner(to) >= 0 ? to : from;
  return queue(stream, {on_device}, [=] { return std::memcpy(to, from, bytes), 0; });
}
int clear_rows(void* memory, size_t row_bytes, size_t stride_bytes, int rows, Stream stream) noexcept {
  return queue(stream, {memory}, [=] {
    for (int r = 0; r < rows; ++r) std::memset(static_cast<std::byte*>(memory) + static_cast<size_t>(r) * stride_bytes, 0, row_bytes);
    return 0;
  });
}

int synchronize(Stream stream) noexcept {
  const auto* q = reinterpret_cast<Queue*>(stream);
  if (q == nullptr) return 0;
  return q->capturing ? kNotWhileCapturing : q->device != thread_device ? kInvalidHandle : 0;
}

int begin_capture(Stream stream) noexcept {
  auto* q = reinterpret_cast<Queue*>(stream);
  if (q == nullptr || q->capturing) return kNotWhileCapturing;
  q->capturing = true;
  ++captures;
  return 0;
}
int end_capture(Stream stream, Graph* graph) noexcept {
  auto* q = reinterpret_cast<Queue*>(stream);
  if (q == nullptr || !q->capturing) return kInvalidValue;
  q->capturing = false;
  --captures;
  *graph = reinterpret_cast<Graph>(new Queue{q->device, false, std::move(q->captured)});
  q->captured.clear();
  return 0;
}
int launch_graph(Graph graph, Stream stream) noexcept {
  const auto *g = reinterpret_cast<Queue*>(graph), *q = reinterpret_cast<Queue*>(stream);
  if (q == nullptr || q->device != thread_device || g->device != q->device) return kInvalidHandle;
  for (const emulated::Step& step : g->captured)
    if (const int error = step(); error != 0) return error;
  return 0;
}
int destroy_graph(Graph graph) noexcept {
  delete reinterpret_cast<Queue*>(graph);
  return 0;
}

// What a call writes and what it reads, as far as it has an address.
#define E4J_QUEUED(kernel, type, ...) \
  [](const type& c, Stream stream) noexcept { return queue(stream, {__VA_ARGS__}, [c] { return emulated::kernel(c); }); }

constexpr DeviceApi kApi{
    .version = kDeviceApiVersion,
    .error_text = [](int error) noexcept -> const char* { return error == kOutOfMemory ? "out of memory" : "emulated error"; },
    .versions = [](int* driver, int* runtime) noexcept {
      *driver = static_cast<int>(setting("EMULATED_DRIVER", 13000));
      *runtime = 13000;
      return 0;
    },
    .device_count = [](int* count) noexcept { return (*count = device_count()) == 0 ? kNoDevice : 0; },
    .device_info = device_info,
    .prepare = use,
    .use = use,
    .memory_info = memory_info,
    .allocate = allocate,
    .release = release,
    .allocate_pinned = [](void** memory, size_t bytes) noexcept {
      if (captures > 0) return kNotWhileCapturing;
      return (*memory = std::malloc(bytes)) == nullptr ? kOutOfMemory : 0;
    },
    .release_pinned = [](void* memory) noexcept { return std::free(memory), 0; },
    .create_stream = create_stream,
    .destroy_stream = destroy_stream,
    .synchronize = synchronize,
    .copy = copy,
    .clear = [](void* memory, size_t bytes, Stream stream) noexcept { return clear_rows(memory, bytes, bytes, 1, stream); },
    .clear_rows = clear_rows,
    .begin_capture = begin_capture,
    .end_capture = end_capture,
    .launch_graph = launch_graph,
    .destroy_graph = destroy_graph,
    .norm_rows = E4J_QUEUED(norm_rows, NormRows, c.x, c.weight, c.out_f32, c.out_bf16),
    .cast_rows = E4J_QUEUED(cast_rows, CastRows, c.x, c.out),
    .quantize_rows = E4J_QUEUED(quantize_rows, QuantizeRows, c.x, c.out, c.scales),
    .rotary_table = E4J_QUEUED(rotary_table, RotaryRows, c.positions, c.axis, c.inv_freq, c.cos, c.sin),
    .rotate_rows = E4J_QUEUED(rotate_rows, RotateRows, c.x, c.cos, c.sin),
    .swiglu_rows = E4J_QUEUED(swiglu_rows, SwigluRows, c.gate, c.up, c.out),
    .gelu_rows = E4J_QUEUED(gelu_rows, FloatRows, c.x),
    .indexed_rows = E4J_QUEUED(indexed_rows, IndexedRows, c.in, c.index, c.out),
    .embed_rows = E4J_QUEUED(embed_rows, EmbedRows, c.table, c.ids, c.out),
    .mean_rows = E4J_QUEUED(mean_rows, MeanRows, c.in, c.ranges, c.out),
    .normalize_rows = E4J_QUEUED(normalize_rows, FloatRows, c.x),
    .attention = E4J_QUEUED(attention, FlashAttention, c.tiles, c.q, c.k, c.v, c.out_bf16, c.out_f32),
    .matmul = E4J_QUEUED(matmul, Matmul, c.w, c.x, c.bias, c.y_f32, c.y_bf16, c.workspace),
    .packed_weight_bytes = [](DType, int n, int) noexcept { return static_cast<size_t>(n); },
    .pack_weight = [](DType type, const std::byte* rows, int n, int k, std::byte* packed, Stream stream) noexcept {
      return queue(stream, {rows, packed}, [=] { return emulated::pack_weight(type, rows, n, k, packed); });
    },
    .expand = [](DType type, const std::byte* rows, int n, int k, uint16_t* out, int64_t out_stride, Stream stream) noexcept {
      return queue(stream, {rows, out}, [=] { return emulated::expand(type, rows, n, k, out, out_stride); });
    },
};

}  // namespace

const DeviceApi& emulated_device() noexcept { return kApi; }

}  // namespace e4j::cuda

extern "C" __attribute__((visibility("default"))) const e4j::cuda::DeviceApi* e4j_cuda_device_api(uint32_t version) noexcept {
  const uint64_t own = e4j::cuda::setting("EMULATED_VERSION", e4j::cuda::kDeviceApiVersion);
  return version == own ? &e4j::cuda::emulated_device() : nullptr;
}
