#include "cpu/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/status.h"

namespace e4j::cpu {
namespace {
constexpr int kMaxHeadDim = 128;
}

struct Attention::Scratch {
  alignas(64) float q[kBlockM * kMaxHeadDim];       // [kBlockM][head_dim]
  alignas(64) float scores[kBlockM * kBlockN];      // [kBlockM][kBlockN]
  alignas(64) float out[kBlockM * kMaxHeadDim];     // [kBlockM][head_dim]
  float max[kBlockM], sum[kBlockM];
};

float* Attention::keys(int head, int sequence, int head_dim) noexcept {
  const size_t row = static_cast<size_t>(head) * static_cast<size_t>(padded_.back()) +
                     static_cast<size_t>(padded_[static_cast<size_t>(sequence)]);
  return keys_.as<float>() + row * static_cast<size_t>(head_dim);
}

float* Attention::values(int head, int sequence, int head_dim) noexcept {
  return values_.as<float>() + (keys(head, sequence, head_dim) - keys_.as<float>());
}

void Attention::pack(ThreadPool& pool, Rows k, Rows v, std::span<const int32_t> cu_seqlens, const AttentionShape& shape) {
  const int sequences = static_cast<int>(cu_seqlens.size()) - 1, d = shape.head_dim, heads = shape.num_key_value_heads;
  padded_.assign(1, 0);
  for (int s = 0; s < sequences; ++s) {
    const int length = cu_seqlens[static_cast<size_t>(s) + 1] - cu_seqlens[static_cast<size_t>(s)];
    padded_.push_back(padded_.back() + (length + kPanelRows - 1) / kPanelRows * kPanelRows);
  }
  const size_t floats = static_cast<size_t>(padded_.back()) * static_cast<size_t>(heads) * static_cast<size_t>(d);
  keys_.reserve(floats * 4);
  values_.reserve(floats * 4);
  pool.parallel_for(sequences * heads, [&](int task, int) {
    const int s = task / heads, head = task % heads;
    const int first = cu_seqlens[static_cast<size_t>(s)], length = cu_seqlens[static_cast<size_t>(s) + 1] - first;
    const int padded = padded_[static_cast<size_t>(s) + 1] - padded_[static_cast<size_t>(s)];
    float* key_panels = keys(head, s, d);
    float* value_panels = values(head, s, d);
    for (int t = 0; t < padded; ++t) {
      float* key = key_panels + static_cast<size_t>(t / kPanelRows) * static_cast<size_t>(d * kPanelRows) + t % kPanelRows;
      if (t >= length) {
        for (int i = 0; i < d; ++i) key[i * kPanelRows] = 0;
        for (int p = 0; p < d / kPanelRows; ++p)
          std::memset(value_panels + (static_cast<size_t>(p) * static_cast<size_t>(padded) + static_cast<size_t>(t)) * kPanelRows, 0,
                      kPanelRows * 4);
        continue;
      }
      const float* key_row = k.row(first + t) + head * d;
      const float* value_row = v.row(first + t) + head * d;
      for (int i = 0; i < d; ++i) key[i * kPanelRows] = key_row[i];
      for (int p = 0; p < d / kPanelRows; ++p)
        std::memcpy(value_panels + (static_cast<size_t>(p) * static_cast<size_t>(padded) + static_cast<size_t>(t)) * kPanelRows,
                    value_row + p * kPanelRows, kPanelRows * 4);
    }
  });
}

void Attention::run_tile(const Kernels& kernels, const Tile& tile, Rows q, std::span<const int32_t> cu_seqlens,
                         const AttentionShape& shape, Scratch& s) noexcept {
  const int d = shape.head_dim, group = shape.num_heads / shape.num_key_value_heads;
  const int first = cu_seqlens[static_cast<size_t>(tile.sequence)];
  const int length = cu_seqlens[static_cast<size_t>(tile.sequence) + 1] - first;
  const int padded = padded_[static_cast<size_t>(tile.sequence) + 1] - padded_[static_cast<size_t>(tile.sequence)];
  const int tokens = tile.end - tile.begin, rows = tokens * group;
  const size_t row_bytes = static_cast<size_t>(d) * 4;
  // Row (token, head) of the tile; the group's heads lie side by side in q.
  for (int t = 0; t < tokens; ++t)
    std::memcpy(s.q + t * group * d, q.row(first + tile.begin + t) + tile.head * group * d, static_cast<size_t>(group) * row_bytes);
  for (int r = 0; r < rows; ++r) {
    s.max[r] = -INFINITY;
    s.sum[r] = 0;
  }
  const float* keys_base = keys(tile.head, tile.sequence, d);
  const float* values_base = values(tile.head, tile.sequence, d);
  const int last_key = shape.causal ? tile.end : length;  // keys [0, last_key) are seen by some row
  for (int key = 0; key < last_key; key += kBlockN) {
    const int keys_here = std::min(kBlockN, padded - key);
    GemmTile scores{};
    scores.m = rows;
    scores.k = d;
    scores.panels = keys_here / kPanelRows;
    scores.a = s.q;
    scores.a_stride = static_cast<size_t>(d);
    scores.w = keys_base + static_cast<size_t>(key) * static_cast<size_t>(d);
    scores.w_panel_stride = static_cast<size_t>(d * kPanelRows);
    scores.c = s.scores;
    scores.c_stride = kBlockN;
    kernels.gemm_f32(scores);
    for (int r = 0; r < rows; ++r) {
      const int seen = (shape.causal ? tile.begin + r / group + 1 : length) - key;
      const float factor = kernels.softmax_block(s.scores + r * kBlockN, keys_here, std::min(seen, keys_here), shape.softmax_scale,
                                                 &s.max[r], &s.sum[r]);
      if (key > 0 && factor != 1.0f) kernels.scale(s.out + r * d, d, factor);
    }
    GemmTile out{};
    out.m = rows;
    out.k = keys_here;
    out.panels = d / kPanelRows;
    out.accumulate = key > 0;
    out.a = s.scores;
    out.a_stride = kBlockN;
    out.w = values_base + static_cast<size_t>(key) * kPanelRows;
    out.w_panel_stride = static_cast<size_t>(padded) * kPanelRows;
    out.c = s.out;
    out.c_stride = static_cast<size_t>(d);
    kernels.gemm_f32(out);
  }
  for (int t = 0; t < tokens; ++t)
    for (int g = 0; g < group; ++g) {
      const int r = t * group + g;
      kernels.scale(s.out + r * d, d, 1.0f / s.sum[r]);
      std::memcpy(q.row(first + tile.begin + t) + (tile.head * group + g) * d, s.out + r * d, row_bytes);
    }
}

void Attention::run(const Kernels& kernels, ThreadPool& pool, Rows q, Rows k, Rows v, std::span<const int32_t> cu_seqlens,
                    const AttentionShape& shape) {
  E4J_CHECK(shape.head_dim <= kMaxHeadDim && shape.head_dim % kPanelRows == 0);
  const int group = shape.num_heads / shape.num_key_value_heads;
  E4J_CHECK(group >= 1 && group <= kBlockM && group * shape.num_key_value_heads == shape.num_heads);
  pack(pool, k, v, cu_seqlens, shape);
  const int tokens_per_tile = kBlockM / group;
  tiles_.clear();
  for (int s = 0; s + 1 < static_cast<int>(cu_seqlens.size()); ++s) {
    const int length = cu_seqlens[static_cast<size_t>(s) + 1] - cu_seqlens[static_cast<size_t>(s)];
    for (int begin = 0; begin < length; begin += tokens_per_tile)
      for (int head = 0; head < shape.num_key_value_heads; ++head)
        tiles_.push_back({s, head, begin, std::min(length, begin + tokens_per_tile)});
  }
  // Longest first, so that the threads finish together.
  if (shape.causal)
    std::stable_sort(tiles_.begin(), tiles_.end(), [](const Tile& a, const Tile& b) { return a.end > b.end; });
  scratch_.reserve(sizeof(Scratch) * static_cast<size_t>(pool.num_threads()));
  pool.parallel_for(static_cast<int>(tiles_.size()), [&](int i, int thread) {
    run_tile(kernels, tiles_[static_cast<size_t>(i)], q, cu_seqlens, shape, scratch_.as<Scratch>()[thread]);
  });
}

}  // namespace e4j::cpu
