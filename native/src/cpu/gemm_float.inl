// Register-tiled products of float rows with float panels, over a tier's vector type V and a Step policy that says what one
// step of K is (one value, or a pair of bf16). Included by the SIMD tiers inside their namespace.
//
//   V::kLanes, V::zero, V::load, V::store; Step::Weight, Step::Activation (element types), Step::kValues (K per step),
//   Step::Operand, Step::weights(const Weight*), Step::broadcast(const Activation*), Step::madd(V& sum, weights, broadcast)

#include "cpu/ahead.inl"

template <class V, class Step, int kRows, int kPanels>
inline void float_tile(const GemmTile& t, int row) noexcept {
  constexpr int kVectors = kPanelRows / V::kLanes;  // per panel
  using Weight = typename Step::Weight;
  using Activation = typename Step::Activation;
  V sum[kRows][kPanels * kVectors];
  float* c = t.c + static_cast<size_t>(row) * t.c_stride;
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < kPanels * kVectors; ++v)
      sum[m][v] = t.accumulate ? V::load(c + static_cast<size_t>(m) * t.c_stride + v * V::kLanes) : V::zero();
  const Weight* w = static_cast<const Weight*>(t.w);
  const Activation* a = static_cast<const Activation*>(t.a) + static_cast<size_t>(row) * t.a_stride;
  const size_t a_stride = t.a_stride, w_stride = t.w_panel_stride;
  // With few rows memory is the limit, and what is ahead must come evenly; with many a step costs more than it gains.
  constexpr int kFewRows = 48, kCoarse = 16 * Step::kValues;
  const int slice = t.m <= kFewRows ? kCoarse / 4 : kCoarse;
  Fetch<kPanels> fetch(t.ahead, t.m, kRows, (t.k + slice - 1) / slice, row);
  int next = 0;
  for (int k = 0; k < t.k; k += Step::kValues) {
    if (k == next) {
      fetch.step();
      if (k % kCoarse == 0) fetch_next_rows<kRows, kPanels>(a, a_stride, 0, c, t.c_stride, k / kCoarse);
      next += slice;
    }
    typename Step::Operand weights[kPanels * kVectors];
#pragma GCC unroll 8
    for (int p = 0; p < kPanels; ++p)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        weights[p * kVectors + v] = Step::weights(w + static_cast<size_t>(p) * w_stride + v * V::kLanes * Step::kValues);
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) {
      const auto broadcast = Step::broadcast(a + static_cast<size_t>(m) * a_stride);
#pragma GCC unroll 8
      for (int v = 0; v < kPanels * kVectors; ++v) Step::madd(sum[m][v], weights[v], broadcast);
    }
    w += kPanelRows * Step::kValues;
    a += Step::kValues;
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < kPanels * kVectors; ++v) V::store(c + static_cast<size_t>(m) * t.c_stride + v * V::kLanes, sum[m][v]);
}

template <class V, class Step, int kRows, int kPanels>
inline void float_rows(const GemmTile& t) noexcept {
  int row = 0;
  for (; row + kRows <= t.m; row += kRows) float_tile<V, Step, kRows, kPanels>(t, row);
  switch (t.m - row) {
    case 5: if constexpr (kRows > 5) { float_tile<V, Step, 5, kPanels>(t, row); } break;
    case 4: if constexpr (kRows > 4) { float_tile<V, Step, 4, kPanels>(t, row); } break;
    case 3: if constexpr (kRows > 3) { float_tile<V, Step, 3, kPanels>(t, row); } break;
    case 2: if constexpr (kRows > 2) { float_tile<V, Step, 2, kPanels>(t, row); } break;
    case 1: float_tile<V, Step, 1, kPanels>(t, row); break;
    default: break;
  }
}

// kTilePanels: how many panels the tier's registers hold beside kRows rows.
template <class V, class Step, int kRows, int kTilePanels>
void gemm_float(const GemmTile& tile) noexcept {
  GemmTile t = tile;
  while (t.panels > 0) {
    const int n = t.panels < kTilePanels ? t.panels : kTilePanels;
    switch (n) {
      case 4: if constexpr (kTilePanels >= 4) { float_rows<V, Step, kRows, 4>(t); } break;
      case 3: if constexpr (kTilePanels >= 3) { float_rows<V, Step, kRows, 3>(t); } break;
      case 2: if constexpr (kTilePanels >= 2) { float_rows<V, Step, kRows, 2>(t); } break;
      default: float_rows<V, Step, kRows, 1>(t); break;
    }
    t.panels -= n;
    t.c += n * kPanelRows;
    t.w = static_cast<const typename Step::Weight*>(t.w) + static_cast<size_t>(n) * t.w_panel_stride;
    drop_panels(t.ahead, n);
  }
}
