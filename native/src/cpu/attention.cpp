#include "cpu/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "base/status.h"

namespace e4j::cpu {
namespace {

constexpr int kMaxHeadDim = 128;

template <class Element>
constexpr bool kIsBf16 = std::is_same_v<Element, uint16_t>;
// Values of the summed dimension that lie side by side in a panel.
template <class Element>
constexpr size_t kPair = kIsBf16<Element> ? 2 : 1;

void convert(const Kernels&, const float* x, int n, float* y) noexcept { std::memcpy(y, x, static_cast<size_t>(n) * sizeof(float)); }
void convert(const Kernels& kernels, const float* x, int n, uint16_t* y) noexcept { kernels.to_bf16(x, n, y); }

template <class Element>
void gemm(const Kernels& kernels, const GemmTile& t) noexcept {
  kIsBf16<Element> ? kernels.gemm_bf16(t) : kernels.gemm_f32(t);
}

}  // namespace

template <class Element>
struct Attention::Scratch {
  alignas(64) Element q[kBlockM * kMaxHeadDim];            // [kBlockM][head_dim]
  alignas(64) float scores[kBlockM * kBlockN];             // [kBlockM][kBlockN]
  alignas(64) Element probabilities[kBlockM * kBlockN];    // [kBlockM][kBlockN]
  alignas(64) float out[kBlockM * kMaxHeadDim];            // [kBlockM][head_dim]
  float max[kBlockM], sum[kBlockM];
};

size_t Attention::panels_at(int head, int sequence, int head_dim) const noexcept {
  const size_t row = static_cast<size_t>(head) * static_cast<size_t>(padded_.back()) +
                     static_cast<size_t>(padded_[static_cast<size_t>(sequence)]);
  return row * static_cast<size_t>(head_dim);
}

template <class Element>
void Attention::pack(const Kernels& kernels, ThreadPool& pool, Rows k, Rows v, std::span<const int32_t> cu_seqlens,
                     const AttentionShape& shape) {
  const int sequences = static_cast<int>(cu_seqlens.size()) - 1, d = shape.head_dim, heads = shape.num_key_value_heads;
  padded_.assign(1, 0);
  for (int s = 0; s < sequences; ++s) {
    const int length = cu_seqlens[static_cast<size_t>(s) + 1] - cu_seqlens[static_cast<size_t>(s)];
    padded_.push_back(padded_.back() + (length + kPanelRows - 1) / kPanelRows * kPanelRows);
  }
  const size_t elements = static_cast<size_t>(padded_.back()) * static_cast<size_t>(heads) * static_cast<size_t>(d);
  keys_.reserve(elements * sizeof(Element));
  values_.reserve(elements * sizeof(Element));
  pool.parallel_for(sequences * heads, [&](int task, int) {
    constexpr size_t pair = kPair<Element>;
    const int s = task / heads, head = task % heads;
    const int first = cu_seqlens[static_cast<size_t>(s)];
    const size_t length = static_cast<size_t>(cu_seqlens[static_cast<size_t>(s) + 1] - first);
    const size_t padded = static_cast<size_t>(padded_[static_cast<size_t>(s) + 1] - padded_[static_cast<size_t>(s)]);
    const size_t dim = static_cast<size_t>(d), at = panels_at(head, s, d);
    for (size_t t = 0; t < padded; ++t) {
      Element key[kMaxHeadDim] = {}, value[kMaxHeadDim] = {};
      if (t < length) {
        convert(kernels, k.row(first + static_cast<int>(t)) + head * d, d, key);
        convert(kernels, v.row(first + static_cast<int>(t)) + head * d, d, value);
      }
      Element* key_panel = keys_.as<Element>() + at + t / kPanelRows * dim * kPanelRows + t % kPanelRows * pair;
      for (size_t i = 0; i < dim; ++i) key_panel[i / pair * kPanelRows * pair + i % pair] = key[i];
      Element* value_row = values_.as<Element>() + at + t / pair * kPanelRows * pair + t % pair;
      for (size_t i = 0; i < dim; ++i) value_row[(i / kPanelRows * padded) * kPanelRows + i % kPanelRows * pair] = value[i];
    }
  });
}

template <class Element>
void Attention::run_tile(const Kernels& kernels, const Tile& tile, Rows q, std::span<const int32_t> cu_seqlens,
                         const AttentionShape& shape, Scratch<Element>& s) noexcept {
  const int d = shape.head_dim, group = shape.num_heads / shape.num_key_value_heads;
  const int first = cu_seqlens[static_cast<size_t>(tile.sequence)];
  const int length = cu_seqlens[static_cast<size_t>(tile.sequence) + 1] - first;
  const int padded = padded_[static_cast<size_t>(tile.sequence) + 1] - padded_[static_cast<size_t>(tile.sequence)];
  const int tokens = tile.end - tile.begin, rows = tokens * group;
  // Row (token, head) of the tile; the group's heads lie side by side in q.
  for (int t = 0; t < tokens; ++t)
    convert(kernels, q.row(first + tile.begin + t) + tile.head * group * d, group * d, s.q + t * group * d);
  for (int r = 0; r < rows; ++r) {
    s.max[r] = -INFINITY;
    s.sum[r] = 0;
  }
  const size_t at = panels_at(tile.head, tile.sequence, d);
  const int last_key = shape.causal ? tile.end : length;  // keys [0, last_key) are seen by some row
  for (int key = 0; key < last_key; key += kBlockN) {
    const int keys_here = std::min(kBlockN, padded - key);
    GemmTile scores{};
    scores.m = rows;
    scores.k = d;
    scores.panels = keys_here / kPanelRows;
    scores.a = s.q;
    scores.a_stride = static_cast<size_t>(d);
    scores.w = keys_.as<Element>() + at + static_cast<size_t>(key) * static_cast<size_t>(d);
    scores.w_panel_stride = static_cast<size_t>(d * kPanelRows);
    scores.c = s.scores;
    scores.c_stride = kBlockN;
    gemm<Element>(kernels, scores);
    for (int r = 0; r < rows; ++r) {
      const int seen = (shape.causal ? tile.begin + r / group + 1 : length) - key;
      const float factor = kernels.softmax_block(s.scores + r * kBlockN, keys_here, std::min(seen, keys_here), shape.softmax_scale,
                                                 &s.max[r], &s.sum[r]);
      if (key > 0 && factor != 1.0f) kernels.scale(s.out + r * d, d, factor);
      convert(kernels, s.scores + r * kBlockN, keys_here, s.probabilities + r * kBlockN);
    }
    GemmTile out{};
    out.m = rows;
    out.k = keys_here;
    out.panels = d / kPanelRows;
    out.accumulate = key > 0;
    out.a = s.probabilities;
    out.a_stride = kBlockN;
    out.w = values_.as<Element>() + at + static_cast<size_t>(key) * kPanelRows;
    out.w_panel_stride = static_cast<size_t>(padded) * kPanelRows;
    out.c = s.out;
    out.c_stride = static_cast<size_t>(d);
    gemm<Element>(kernels, out);
  }
  for (int t = 0; t < tokens; ++t)
    for (int g = 0; g < group; ++g) {
      const int r = t * group + g;
      kernels.scale(s.out + r * d, d, 1.0f / s.sum[r]);
      std::memcpy(q.row(first + tile.begin + t) + (tile.head * group + g) * d, s.out + r * d, static_cast<size_t>(d) * sizeof(float));
    }
}

template <class Element>
void Attention::run_tiles(const Kernels& kernels, ThreadPool& pool, Rows q, std::span<const int32_t> cu_seqlens,
                          const AttentionShape& shape) {
  const size_t stride = (sizeof(Scratch<Element>) + 63) / 64 * 64;
  scratch_.reserve(stride * static_cast<size_t>(pool.num_threads()));
  pool.parallel_for(static_cast<int>(tiles_.size()), [&](int i, int thread) {
    auto& scratch = *reinterpret_cast<Scratch<Element>*>(scratch_.data() + stride * static_cast<size_t>(thread));
    run_tile<Element>(kernels, tiles_[static_cast<size_t>(i)], q, cu_seqlens, shape, scratch);
  });
}

void Attention::run(const Kernels& kernels, ThreadPool& pool, Rows q, Rows k, Rows v, std::span<const int32_t> cu_seqlens,
                    const AttentionShape& shape) {
  E4J_CHECK(shape.head_dim <= kMaxHeadDim && shape.head_dim % kPanelRows == 0);
  const int group = shape.num_heads / shape.num_key_value_heads;
  E4J_CHECK(group >= 1 && group <= kBlockM && group * shape.num_key_value_heads == shape.num_heads);
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
  if (shape.bf16) {
    pack<uint16_t>(kernels, pool, k, v, cu_seqlens, shape);
    run_tiles<uint16_t>(kernels, pool, q, cu_seqlens, shape);
  } else {
    pack<float>(kernels, pool, k, v, cu_seqlens, shape);
    run_tiles<float>(kernels, pool, q, cu_seqlens, shape);
  }
}

}  // namespace e4j::cpu
