#include "cuda/emulated/device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "cuda/element.h"
#include "tensor/quantize.h"

namespace e4j::cuda {
namespace {

uint64_t setting(const char* name, uint64_t otherwise) noexcept {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

uint64_t total_bytes() noexcept { return setting("EMULATED_BYTES", uint64_t{8} << 30); }

// What is allocated, and the values of packed weights by address: the packed order is the real kernels' business.
struct State {
  std::mutex mutex;
  std::map<void*, size_t> memory;
  std::map<const void*, std::vector<float>> packed;
  uint64_t used = 0;
};
State& state() {
  static State one;
  return one;
}

int allocate(void** memory, size_t bytes) noexcept {
  std::lock_guard lock(state().mutex);
  if (state().used + bytes > total_bytes()) return kOutOfMemory;
  void* p = ::operator new(bytes, std::align_val_t{256}, std::nothrow);
  if (p == nullptr) return kOutOfMemory;
  std::memset(p, 0xff, bytes);  // NaN, in bf16 and float32: what is read before it is written shows
  state().memory[p] = bytes;
  state().used += bytes;
  *memory = p;
  return 0;
}

int release(void* memory) noexcept {
  std::lock_guard lock(state().mutex);
  const auto found = state().memory.find(memory);
  if (found == state().memory.end()) return 1;  // cudaErrorInvalidValue
  state().used -= found->second;
  state().packed.erase(memory);
  state().memory.erase(found);
  ::operator delete(memory, std::align_val_t{256});
  return 0;
}

int memory_info(uint64_t* free_bytes, uint64_t* all_bytes) noexcept {
  std::lock_guard lock(state().mutex);
  *all_bytes = total_bytes();
  *free_bytes = *all_bytes - std::min(*all_bytes, state().used);
  return 0;
}

int device_info(int, DeviceInfo* info) noexcept {
  const int capability = static_cast<int>(setting("EMULATED_CAPABILITY", 90));
  std::snprintf(info->name, sizeof info->name, "emulated GPU");
  info->major = capability / 10;
  info->minor = capability % 10;
  info->total_bytes = total_bytes();
  return 0;
}

int norm_rows(const NormRows& c, Stream) noexcept {
  for (int r = 0; r < c.rows; ++r) {
    const float* x = c.x + r * c.x_stride;
    float square = 0;
    for (int i = 0; i < c.cols; ++i) square += x[i] * x[i];
    const float scale = rms_scale(square, c.cols, c.eps);
    for (int i = 0; i < c.out_cols; ++i) {
      const float y = i < c.cols ? x[i] * scale * c.weight[i] : 0.0f;
      c.out_f32 != nullptr ? void(c.out_f32[r * c.out_stride + i] = y) : void(c.out_bf16[r * c.out_stride + i] = to_bf16(y));
    }
  }
  return 0;
}

int cast_rows(const CastRows& c, Stream) noexcept {
  for (int r = 0; r < c.rows; ++r)
    for (int i = 0; i < c.out_cols; ++i) c.out[r * c.out_stride + i] = i < c.cols ? to_bf16(c.x[r * c.x_stride + i]) : uint16_t{0};
  return 0;
}

int rotary_table(const RotaryRows& c, Stream) noexcept {
  for (int r = 0; r < c.rows; ++r)
    for (int j = 0; j < c.half; ++j) {
      const float angle = rotary_angle(c.positions[rotary_index(c.axis[j], r, c.rows)], c.inv_freq[j]);
      c.cos[static_cast<int64_t>(r) * c.half + j] = cosf(angle);
      c.sin[static_cast<int64_t>(r) * c.half + j] = sinf(angle);
    }
  return 0;
}

int rotate_rows(const RotateRows& c, Stream) noexcept {
  for (int r = 0; r < c.rows; ++r)
    for (int pair = 0; pair < c.num_heads * c.half; ++pair) {
      uint16_t* first = c.x + r * c.stride + pair_column(pair, c.half);
      const int64_t at = static_cast<int64_t>(r) * c.half + pair % c.half;
      const Pair y = rotated(from_bf16(first[0]), from_bf16(first[c.half]), c.cos[at], c.sin[at]);
      first[0] = to_bf16(y.first);
      first[c.half] = to_bf16(y.second);
    }
  return 0;
}

int swiglu_rows(const SwigluRows& c, Stream) noexcept {
  for (int r = 0; r < c.rows; ++r)
    for (int i = 0; i < c.cols; ++i)
      c.out[r * c.out_stride + i] = to_bf16(silu_times(from_bf16(c.gate[r * c.stride + i]), from_bf16(c.up[r * c.stride + i])));
  return 0;
}

int gelu_rows(const FloatRows& c, Stream) noexcept {
  for (int r = 0; r < c.rows; ++r)
    for (int i = 0; i < c.cols; ++i) c.x[r * c.stride + i] = gelu(c.x[r * c.stride + i]);
  return 0;
}

int indexed_rows(const IndexedRows& c, Stream) noexcept {
  for (int r = 0; r < c.rows; ++r) {
    const int64_t from = c.scatter ? r : c.index[r], to = c.scatter ? c.index[r] : r;
    std::copy_n(c.in + from * c.in_stride, c.cols, c.out + to * c.out_stride);
  }
  return 0;
}

int embed_rows(const EmbedRows& c, Stream) noexcept {
  for (int r = 0; r < c.rows; ++r)
    for (int i = 0; i < c.cols; ++i) c.out[r * c.out_stride + i] = from_bf16(c.table[static_cast<int64_t>(c.ids[r]) * c.cols + i]);
  return 0;
}

int mean_rows(const MeanRows& c, Stream) noexcept {
  for (int r = 0; r < c.rows; ++r)
    for (int i = 0; i < c.cols; ++i) {
      double sum = 0;
      for (int at = c.ranges[2 * r]; at < c.ranges[2 * r + 1]; ++at) sum += c.in[at * c.in_stride + i];
      c.out[r * c.out_stride + i] = static_cast<float>(sum / (c.ranges[2 * r + 1] - c.ranges[2 * r]));
    }
  return 0;
}

int normalize_rows(const FloatRows& c, Stream) noexcept {
  for (int r = 0; r < c.rows; ++r) {
    float* x = c.x + r * c.stride;
    float square = 0;
    for (int i = 0; i < c.cols; ++i) square += x[i] * x[i];
    const float scale = l2_scale(square);
    for (int i = 0; i < c.cols; ++i) x[i] *= scale;
  }
  return 0;
}

// Every block of a sequence and key/value head together, by its first tile.
void attend(const FlashAttention& c, const AttentionTile& tile) {
  const int dim = c.kernel == AttentionKernel::kCausal128 ? 128 : 80, group = c.num_heads / c.num_kv_heads;
  const bool causal = c.kernel == AttentionKernel::kCausal128;
  std::vector<double> p(static_cast<size_t>(tile.length)), sum(static_cast<size_t>(dim));
  for (int head = tile.kv_head * group; head < (tile.kv_head + 1) * group; ++head)
    for (int token = 0; token < tile.length; ++token) {
      const int keys = causal ? token + 1 : tile.length;
      const int64_t row = tile.first_row + token;
      double most = -1e300, total = 0;
      for (int j = 0; j < keys; ++j) {
        double dot = 0;
        for (int d = 0; d < dim; ++d)
          dot += static_cast<double>(from_bf16(c.q[row * c.q_stride + head * dim + d])) *
                 from_bf16(c.k[(tile.first_row + j) * c.k_stride + tile.kv_head * dim + d]);
        most = std::max(most, p[static_cast<size_t>(j)] = dot * c.softmax_scale);
      }
      std::fill(sum.begin(), sum.end(), 0.0);
      for (int j = 0; j < keys; ++j) {
        const double weight = std::exp(p[static_cast<size_t>(j)] - most);
        total += weight;
        for (int d = 0; d < dim; ++d)
          sum[static_cast<size_t>(d)] += weight * from_bf16(c.v[(tile.first_row + j) * c.v_stride + tile.kv_head * dim + d]);
      }
      for (int d = 0; d < dim; ++d) {
        const float y = static_cast<float>(sum[static_cast<size_t>(d)] / total);
        const int64_t at = row * c.out_stride + head * dim + d;
        c.out_f32 != nullptr ? void(c.out_f32[at] = y) : void(c.out_bf16[at] = to_bf16(y));
      }
    }
}

int attention(const FlashAttention& c, Stream) noexcept {
  for (int i = 0; i < c.tile_count; ++i)
    if (c.tiles[i].m_block == 0 && c.tiles[i].length > 0) attend(c, c.tiles[i]);
  return 0;
}

int expand(DType type, const std::byte* rows, int n, int k, uint16_t* out, int64_t out_stride, Stream) noexcept {
  std::vector<float> values(static_cast<size_t>(k));
  const size_t row = row_bytes(type, k);
  for (int r = 0; r < n; ++r) {
    dequantize_rows(type, rows + static_cast<size_t>(r) * row, 1, k, values.data());
    for (int64_t i = 0; i < out_stride; ++i) out[r * out_stride + i] = i < k ? to_bf16(values[static_cast<size_t>(i)]) : uint16_t{0};
  }
  return 0;
}

int pack_weight(DType type, const std::byte* rows, int n, int k, std::byte* packed, Stream) noexcept {
  std::vector<float> values(static_cast<size_t>(n) * static_cast<size_t>(k));
  dequantize_rows(type, rows, n, k, values.data());
  for (float& value : values) value = from_bf16(to_bf16(value));
  std::lock_guard lock(state().mutex);
  state().packed[packed] = std::move(values);
  return 0;
}

int matmul(const Matmul& c, Stream) noexcept {
  const float* values = nullptr;
  if (c.type != DType::BF16) {
    std::lock_guard lock(state().mutex);
    const auto found = state().packed.find(c.w);
    if (found == state().packed.end() || found->second.size() != static_cast<size_t>(c.n) * static_cast<size_t>(c.k)) return 1;
    values = found->second.data();
  } else if (c.m > kSkinnyRows || c.k % 8 != 0 || c.w_stride % 8 != 0) {
    return 1;
  }
  if (c.n % 2 != 0 || c.x_stride % 8 != 0 || c.y_stride % 2 != 0 || (c.accumulate && c.y_f32 == nullptr)) return 1;
  const uint16_t* w = static_cast<const uint16_t*>(c.w);
  for (int i = 0; i < c.m; ++i)
    for (int j = 0; j < c.n; ++j) {
      float sum = c.bias != nullptr ? c.bias[j] : 0.0f;
      for (int x = 0; x < c.k; ++x)
        sum += from_bf16(c.x[i * c.x_stride + x]) * (values != nullptr ? values[static_cast<int64_t>(j) * c.k + x] : from_bf16(w[j * c.w_stride + x]));
      if (c.y_f32 != nullptr)
        c.y_f32[i * c.y_stride + j] = sum + (c.accumulate ? c.y_f32[i * c.y_stride + j] : 0.0f);
      else
        c.y_bf16[i * c.y_stride + j] = to_bf16(sum);
    }
  return 0;
}

constexpr DeviceApi kApi{
    .version = kDeviceApiVersion,
    .error_text = [](int error) noexcept -> const char* { return error == kOutOfMemory ? "out of memory" : "emulated error"; },
    .versions = [](int* driver, int* runtime) noexcept {
      *driver = static_cast<int>(setting("EMULATED_DRIVER", 13000));
      *runtime = 13000;
      return 0;
    },
    .device_count = [](int* count) noexcept { return (*count = static_cast<int>(setting("EMULATED_DEVICES", 1))) == 0 ? kNoDevice : 0; },
    .device_info = device_info,
    .prepare = [](int) noexcept { return 0; },
    .use = [](int) noexcept { return 0; },
    .memory_info = memory_info,
    .allocate = allocate,
    .release = release,
    .allocate_pinned = [](void** memory, size_t bytes) noexcept { return (*memory = std::malloc(bytes)) == nullptr ? kOutOfMemory : 0; },
    .release_pinned = [](void* memory) noexcept { return std::free(memory), 0; },
    .create_stream = [](Stream* stream) noexcept { return *stream = nullptr, 0; },
    .destroy_stream = [](Stream) noexcept { return 0; },
    .synchronize = [](Stream) noexcept { return 0; },
    .copy = [](void* to, const void* from, size_t bytes, Stream) noexcept { return std::memcpy(to, from, bytes), 0; },
    .clear = [](void* memory, size_t bytes, Stream) noexcept { return std::memset(memory, 0, bytes), 0; },
    .norm_rows = norm_rows,
    .cast_rows = cast_rows,
    .rotary_table = rotary_table,
    .rotate_rows = rotate_rows,
    .swiglu_rows = swiglu_rows,
    .gelu_rows = gelu_rows,
    .indexed_rows = indexed_rows,
    .embed_rows = embed_rows,
    .mean_rows = mean_rows,
    .normalize_rows = normalize_rows,
    .attention = attention,
    .matmul = matmul,
    .packed_weight_bytes = [](DType, int n, int) noexcept { return static_cast<size_t>(n); },
    .pack_weight = pack_weight,
    .expand = expand,
};

}  // namespace

const DeviceApi& emulated_device() noexcept { return kApi; }

}  // namespace e4j::cuda

extern "C" __attribute__((visibility("default"))) const e4j::cuda::DeviceApi* e4j_cuda_device_api(uint32_t version) noexcept {
  const uint64_t own = e4j::cuda::setting("EMULATED_VERSION", e4j::cuda::kDeviceApiVersion);
  return version == own ? &e4j::cuda::emulated_device() : nullptr;
}
