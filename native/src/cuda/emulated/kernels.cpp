#include "cuda/emulated/kernels.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <vector>

#include "cuda/element.h"
#include "cuda/emulated/dot.h"
#include "tensor/quantize.h"

namespace e4j::cuda::emulated {
namespace {

std::mutex packed_mutex;
std::map<const void*, std::vector<float>> packed_values;

}  // namespace

int norm_rows(const NormRows& c) noexcept {
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

int cast_rows(const CastRows& c) noexcept {
  for (int r = 0; r < c.rows; ++r)
    for (int i = 0; i < c.out_cols; ++i) c.out[r * c.out_stride + i] = i < c.cols ? to_bf16(c.x[r * c.x_stride + i]) : uint16_t{0};
  return 0;
}

int quantize_rows(const QuantizeRows& c) noexcept {
  if (c.cols % 8 != 0 || c.x_stride % 8 != 0 || c.out_stride % 16 != 0) return 1;
  const auto largest = [&](int first, int end) {
    float most = 0;
    for (int r = first; r < end; ++r)
      for (int i = 0; i < c.cols; ++i) most = std::max(most, std::fabs(from_bf16(c.x[r * c.x_stride + i])));
    return most;
  };
  const float all = c.by_rows ? 0.0f : largest(0, c.rows);
  if (!c.by_rows) c.scales[0] = e4m3_scale(all), c.scales[1] = all;
  for (int r = 0; r < c.rows; ++r) {
    const float scale = e4m3_scale(c.by_rows ? largest(r, r + 1) : all), inverse = 1.0f / scale;
    if (c.by_rows) c.scales[r] = scale;
    for (int i = 0; i < c.cols; ++i) c.out[r * c.out_stride + i] = to_e4m3(from_bf16(c.x[r * c.x_stride + i]) * inverse);
  }
  return 0;
}

int rotary_table(const RotaryRows& c) noexcept {
  for (int r = 0; r < c.rows; ++r)
    for (int j = 0; j < c.half; ++j) {
      const float angle = rotary_angle(c.positions[rotary_index(c.axis[j], r, c.rows)], c.inv_freq[j]);
      c.cos[static_cast<int64_t>(r) * c.half + j] = cosf(angle);
      c.sin[static_cast<int64_t>(r) * c.half + j] = sinf(angle);
    }
  return 0;
}

int rotate_rows(const RotateRows& c) noexcept {
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

int swiglu_rows(const SwigluRows& c) noexcept {
  for (int r = 0; r < c.rows; ++r)
    for (int i = 0; i < c.cols; ++i)
      c.out[r * c.out_stride + i] = to_bf16(silu_times(from_bf16(c.gate[r * c.stride + i]), from_bf16(c.up[r * c.stride + i])));
  return 0;
}

int gelu_rows(const FloatRows& c) noexcept {
  for (int r = 0; r < c.rows; ++r)
    for (int i = 0; i < c.cols; ++i) c.x[r * c.stride + i] = gelu(c.x[r * c.stride + i]);
  return 0;
}

int indexed_rows(const IndexedRows& c) noexcept {
  for (int r = 0; r < c.rows; ++r) {
    const int64_t from = c.scatter ? r : c.index[r], to = c.scatter ? c.index[r] : r;
    std::copy_n(c.in + from * c.in_stride, c.cols, c.out + to * c.out_stride);
  }
  return 0;
}

int embed_rows(const EmbedRows& c) noexcept {
  for (int r = 0; r < c.rows; ++r)
    for (int i = 0; i < c.cols; ++i) c.out[r * c.out_stride + i] = from_bf16(c.table[static_cast<int64_t>(c.ids[r]) * c.cols + i]);
  return 0;
}

int mean_rows(const MeanRows& c) noexcept {
  for (int r = 0; r < c.rows; ++r)
    for (int i = 0; i < c.cols; ++i) {
      double sum = 0;
      for (int at = c.ranges[2 * r]; at < c.ranges[2 * r + 1]; ++at) sum += c.in[at * c.in_stride + i];
      c.out[r * c.out_stride + i] = static_cast<float>(sum / (c.ranges[2 * r + 1] - c.ranges[2 * r]));
    }
  return 0;
}

int normalize_rows(const FloatRows& c) noexcept {
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
static void attend(const FlashAttention& c, const AttentionTile& tile) {
  const bool causal = c.kernel == AttentionKernel::kCausal128 || c.kernel == AttentionKernel::kCausal128Wgmma;
  const int dim = causal ? 128 : 80, group = c.num_heads / c.num_kv_heads;
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

int attention(const FlashAttention& c) noexcept {
  for (int i = 0; i < c.tile_count; ++i)
    if (c.tiles[i].m_block == 0 && c.tiles[i].length > 0) attend(c, c.tiles[i]);
  return 0;
}

int expand(DType type, const std::byte* rows, int n, int k, uint16_t* out, int64_t out_stride) noexcept {
  std::vector<float> values(static_cast<size_t>(k));
  const size_t row = row_bytes(type, k);
  for (int r = 0; r < n; ++r) {
    dequantize_rows(type, rows + static_cast<size_t>(r) * row, 1, k, values.data());
    for (int i = 0; i < k + k % 2; ++i) out[r * out_stride + i] = i < k ? to_bf16(values[static_cast<size_t>(i)]) : uint16_t{0};
  }
  return 0;
}

int pack_weight(DType type, const std::byte* rows, int n, int k, std::byte* packed) noexcept {
  std::vector<float> values(static_cast<size_t>(n) * static_cast<size_t>(k));
  dequantize_rows(type, rows, n, k, values.data());
  for (float& value : values) value = from_bf16(to_bf16(value));
  std::lock_guard lock(packed_mutex);
  packed_values[packed] = std::move(values);
  return 0;
}

int matmul(const Matmul& c) noexcept {
  std::vector<float> values;
  if (c.type != DType::BF16) {
    std::lock_guard lock(packed_mutex);
    const auto found = packed_values.find(c.w);
    if (found == packed_values.end() || found->second.size() != static_cast<size_t>(c.n) * static_cast<size_t>(c.k)) return 1;
    values = found->second;
  } else if (c.m > kSkinnyRows || c.k % 8 != 0 || c.w_stride % 8 != 0) {
    return 1;
  } else {
    const auto* w = static_cast<const uint16_t*>(c.w);
    values = floats(c.n, c.k, [&](int64_t r, int64_t i) { return from_bf16(w[r * c.w_stride + i]); });
  }
  if (c.n % 2 != 0 || c.x_stride % 8 != 0 || c.y_stride % 2 != 0) return 1;
  const std::vector<float> x = floats(c.m, c.k, [&](int64_t r, int64_t i) { return from_bf16(c.x[r * c.x_stride + i]); });
  for (int i = 0; i < c.m; ++i)
    for (int j = 0; j < c.n; ++j) {
      const float sum = (c.bias != nullptr ? c.bias[j] : 0.0f) +
                        dot(&x[static_cast<size_t>(i) * static_cast<size_t>(c.k)], &values[static_cast<size_t>(j) * static_cast<size_t>(c.k)], c.k);
      if (c.y_f32 != nullptr)
        c.y_f32[i * c.y_stride + j] = sum + (c.accumulate ? c.y_f32[i * c.y_stride + j] : 0.0f);
      else
        c.y_bf16[i * c.y_stride + j] = to_bf16(sum + (c.accumulate ? from_bf16(c.y_bf16[i * c.y_stride + j]) : 0.0f));
    }
  return 0;
}

void forget_packed(const void* packed) noexcept {
  std::lock_guard lock(packed_mutex);
  packed_values.erase(packed);
}

}  // namespace e4j::cuda::emulated
