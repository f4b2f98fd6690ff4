// Register-tiled 8-bit products over a tier's Dot policy. Included by the SIMD tiers inside their namespace.
//
//   Dot::kLanes 32-bit lanes; Dot::Sum (int32 lanes), Dot::Weights, Dot::Activations, Dot::Floats;
//   Dot::weights<kBiased>(const uint8_t*) 4 * kLanes bytes, with + 128 in them or all below 32;
//   Dot::activations(const int8_t*) one group of four, broadcast; Dot::start(const int32_t* offset) where dots of biased
//   weights start; Dot::zero(); Dot::dot<kBiased>(Sum&, weights, activations): each lane += sum of four products, exact;
//   Dot::to_float, Dot::load_floats, Dot::store_floats, Dot::broadcast, Dot::mul, Dot::fma(a, b, c) = a * b + c,
//   Dot::fnma(a, b, c) = c - a * b

#include "cpu/ahead.inl"

template <class Dot, int kRows, int kPanels, int kGroup, bool kMinimums>
inline void quant_tile(const QuantTile& t, int row) noexcept {
  constexpr int kVectors = kPanelRows / Dot::kLanes;
  constexpr int kN = kPanels * kVectors;
  typename Dot::Floats sum[kRows][kN];
  float* c = t.c + static_cast<size_t>(row) * t.c_stride;
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < kN; ++v)
      sum[m][v] = t.accumulate ? Dot::load_floats(c + static_cast<size_t>(m) * t.c_stride + v * Dot::kLanes) : Dot::zero_floats();
  constexpr bool kBiased = !kMinimums;
  const int8_t* a = t.a + static_cast<size_t>(row) * t.a_stride;
  const float* a_scale = t.a_scale + static_cast<size_t>(row) * t.a_scale_stride;
  const float* a_sum = t.a_sum + static_cast<size_t>(row) * t.a_scale_stride;
  const int32_t* a_offset = t.a_offset + static_cast<size_t>(row) * t.a_offset_stride;
  Fetch<kPanels> fetch(t.ahead, t.m, kRows, t.groups, row);
  for (int g = 0; g < t.groups; ++g) {
    fetch.step();
    fetch_next_rows<kRows, kPanels>(a, t.a_stride, g * kGroup, c, t.c_stride, g);
    typename Dot::Sum dots[kRows][kN];
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) {
      typename Dot::Sum start;
      if constexpr (kBiased) start = Dot::start(a_offset + static_cast<size_t>(m) * t.a_offset_stride + g);
      else start = Dot::zero();
#pragma GCC unroll 8
      for (int v = 0; v < kN; ++v) dots[m][v] = start;
    }
#pragma GCC unroll 8
    for (int s = 0; s < kGroup / 4; ++s) {
      typename Dot::Weights weights[kN];
#pragma GCC unroll 8
      for (int v = 0; v < kN; ++v)
        weights[v] = Dot::template weights<kBiased>(t.q[v / kVectors] + static_cast<size_t>(g) * t.q_group_stride + s * kPanelRows * 4 +
                                  v % kVectors * Dot::kLanes * 4);
#pragma GCC unroll 8
      for (int m = 0; m < kRows; ++m) {
        const auto four = Dot::activations(a + static_cast<size_t>(m) * t.a_stride + (g * kGroup + s * 4));
#pragma GCC unroll 8
        for (int v = 0; v < kN; ++v) Dot::template dot<kBiased>(dots[m][v], weights[v], four);
      }
    }
    const int block = g * kGroup / kQuantBlock;
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) {
      const auto activation_scale = Dot::broadcast(a_scale[static_cast<size_t>(m) * t.a_scale_stride + static_cast<size_t>(block)]);
#pragma GCC unroll 8
      for (int v = 0; v < kN; ++v) {
        const auto scale = Dot::load_floats(&t.w[v / kVectors].scale[g][v % kVectors * Dot::kLanes]);
        sum[m][v] = Dot::fma(Dot::to_float(dots[m][v]), Dot::mul(scale, activation_scale), sum[m][v]);
      }
      if constexpr (kMinimums) {
        const auto activation_sum = Dot::broadcast(a_sum[static_cast<size_t>(m) * t.a_scale_stride + static_cast<size_t>(block)]);
#pragma GCC unroll 8
        for (int v = 0; v < kN; ++v)
          sum[m][v] = Dot::fnma(Dot::load_floats(&t.w[v / kVectors].min[g][v % kVectors * Dot::kLanes]), activation_sum, sum[m][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < kN; ++v) Dot::store_floats(c + static_cast<size_t>(m) * t.c_stride + v * Dot::kLanes, sum[m][v]);
}

template <class Dot, int kRows, int kPanels, int kGroup, bool kMinimums>
inline void quant_rows(const QuantTile& t) noexcept {
  int row = 0;
  for (; row + kRows <= t.m; row += kRows) quant_tile<Dot, kRows, kPanels, kGroup, kMinimums>(t, row);
  switch (t.m - row) {
    case 5: if constexpr (kRows > 5) { quant_tile<Dot, 5, kPanels, kGroup, kMinimums>(t, row); } break;
    case 4: if constexpr (kRows > 4) { quant_tile<Dot, 4, kPanels, kGroup, kMinimums>(t, row); } break;
    case 3: if constexpr (kRows > 3) { quant_tile<Dot, 3, kPanels, kGroup, kMinimums>(t, row); } break;
    case 2: if constexpr (kRows > 2) { quant_tile<Dot, 2, kPanels, kGroup, kMinimums>(t, row); } break;
    case 1: quant_tile<Dot, 1, kPanels, kGroup, kMinimums>(t, row); break;
    default: break;
  }
}

template <class Dot, int kRows, int kPanels>
inline void quant_kind(const QuantTile& t) noexcept {
  if (t.group == 16) return quant_rows<Dot, kRows, kPanels, 16, false>(t);
  if (t.minimums) return quant_rows<Dot, kRows, kPanels, 32, true>(t);
  return quant_rows<Dot, kRows, kPanels, 32, false>(t);
}

template <class Dot, int kRows, int kTilePanels>
void gemm_quant_tiled(const QuantTile& tile) noexcept {
  QuantTile t = tile;
  while (t.panels > 0) {
    const int n = t.panels < kTilePanels ? t.panels : kTilePanels;
    switch (n) {
      case 4: if constexpr (kTilePanels >= 4) { quant_kind<Dot, kRows, 4>(t); } break;
      case 3: if constexpr (kTilePanels >= 3) { quant_kind<Dot, kRows, 3>(t); } break;
      case 2: if constexpr (kTilePanels >= 2) { quant_kind<Dot, kRows, 2>(t); } break;
      default: quant_kind<Dot, kRows, 1>(t); break;
    }
    t.panels -= n;
    t.c += n * kPanelRows;
    t.w += n;
    for (int p = 0; p + n < kMaxPanels; ++p) t.q[p] = t.q[p + n];
    drop_panels(t.ahead, n);
  }
}
