// Register-tiled exact 8-bit products over a tier's Dot policy. Included by the SIMD tiers inside their namespace.
//
//   As in gemm_quant.inl, but for Dot::weights(const int8_t*); Dot::activations(const uint8_t*), with + 128 in them;
//   Dot::dot(Sum&, weights, activations); Dot::load(const int32_t* offset), where the dots of a vector of rows start

template <class Dot, int kRows, int kPanels>
inline void dot_tile(const DotTile& t, int row) noexcept {
  constexpr int kVectors = kPanelRows / Dot::kLanes;
  constexpr int kN = kPanels * kVectors;
  typename Dot::Sum dots[kRows][kN];
#pragma GCC unroll 8
  for (int v = 0; v < kN; ++v) {
    const auto offset = Dot::load(t.offset + v * Dot::kLanes);
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) dots[m][v] = offset;
  }
  const uint8_t* a = t.a + static_cast<size_t>(row) * t.a_stride;
  const int8_t* w = t.w;
  for (int k = 0; k < t.k; k += 4) {
    typename Dot::Weights weights[kN];
#pragma GCC unroll 8
    for (int v = 0; v < kN; ++v)
      weights[v] = Dot::weights(w + static_cast<size_t>(v / kVectors) * t.w_panel_stride + v % kVectors * Dot::kLanes * 4);
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) {
      const auto four = Dot::activations(a + static_cast<size_t>(m) * t.a_stride + k);
#pragma GCC unroll 8
      for (int v = 0; v < kN; ++v) Dot::dot(dots[m][v], weights[v], four);
    }
    w += kPanelRows * 4;
  }
  float* c = t.c + static_cast<size_t>(row) * t.c_stride;
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
    const auto scale = Dot::broadcast(t.a_scale[row + m]);
#pragma GCC unroll 8
    for (int v = 0; v < kN; ++v)
      Dot::store_floats(c + static_cast<size_t>(m) * t.c_stride + v * Dot::kLanes, Dot::mul(Dot::to_float(dots[m][v]), scale));
  }
}

template <class Dot, int kRows, int kPanels>
inline void dot_rows(const DotTile& t) noexcept {
  int row = 0;
  for (; row + kRows <= t.m; row += kRows) dot_tile<Dot, kRows, kPanels>(t, row);
  switch (t.m - row) {
    case 5: if constexpr (kRows > 5) { dot_tile<Dot, 5, kPanels>(t, row); } break;
    case 4: if constexpr (kRows > 4) { dot_tile<Dot, 4, kPanels>(t, row); } break;
    case 3: if constexpr (kRows > 3) { dot_tile<Dot, 3, kPanels>(t, row); } break;
    case 2: if constexpr (kRows > 2) { dot_tile<Dot, 2, kPanels>(t, row); } break;
    case 1: dot_tile<Dot, 1, kPanels>(t, row); break;
    default: break;
  }
}

template <class Dot, int kRows, int kTilePanels>
void dot_i8_tiled(const DotTile& tile) noexcept {
  DotTile t = tile;
  while (t.panels > 0) {
    const int n = t.panels < kTilePanels ? t.panels : kTilePanels;
    switch (n) {
      case 4: if constexpr (kTilePanels >= 4) { dot_rows<Dot, kRows, 4>(t); } break;
      case 3: if constexpr (kTilePanels >= 3) { dot_rows<Dot, kRows, 3>(t); } break;
      case 2: if constexpr (kTilePanels >= 2) { dot_rows<Dot, kRows, 2>(t); } break;
      default: dot_rows<Dot, kRows, 1>(t); break;
    }
    t.panels -= n;
    t.c += n * kPanelRows;
    t.w += static_cast<size_t>(n) * t.w_panel_stride;
    t.offset += n * kPanelRows;
  }
}
