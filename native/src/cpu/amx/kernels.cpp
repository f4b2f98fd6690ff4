// AMX: 16 x 16 tiles of TDPBF16PS and TDPBSUD. A panel's [k / 2][16][2] bf16 and [k / 4][16][4] bytes are tile operands as they lie.
//
// Never run on a processor that has AMX, nor timed: compiled, and its tests pass over tests/emulated_x86.h, which follows the
// instructions' published definitions. Until it has been measured, it is used only when EMBED4J_CPU_TIER names it.
#include <immintrin.h>

#include "cpu/amx/tile.h"
#include "cpu/kernels.h"

namespace e4j::cpu::amx {
namespace {

constexpr int kTileRows = 16;
constexpr int kRowBytes = 64;

// c[rows][16 * panels] (+)= a[rows][k] x w of 32 rows by two panels at most: tiles 0..3 are c, 4 and 5 a, 6 and 7 w.
template <bool kTwoRows, bool kTwoPanels>
inline void bf16_block(const uint16_t* a, size_t a_stride, const uint16_t* w, size_t w_panel_stride, int k, int step, float* c,
                       size_t c_stride, bool accumulate) noexcept {
  const size_t a_bytes = a_stride * 2, c_bytes = c_stride * 4;
  const uint16_t* a_below = a + kTileRows * a_stride;
  float* c_below = c + kTileRows * c_stride;
  if (accumulate) {
    load<0>(c, c_bytes);
    if constexpr (kTwoPanels) load<1>(c + kPanelRows, c_bytes);
    if constexpr (kTwoRows) load<2>(c_below, c_bytes);
    if constexpr (kTwoRows && kTwoPanels) load<3>(c_below + kPanelRows, c_bytes);
  } else {
    zero<0>();
    if constexpr (kTwoPanels) zero<1>();
    if constexpr (kTwoRows) zero<2>();
    if constexpr (kTwoRows && kTwoPanels) zero<3>();
  }
  for (int i = 0; i < k; i += step, w += step * kPanelRows) {
    load<4>(a + i, a_bytes);
    load<6>(w, kRowBytes);
    dot_bf16<0, 4, 6>();
    if constexpr (kTwoRows) {
      load<5>(a_below + i, a_bytes);
      dot_bf16<2, 5, 6>();
    }
    if constexpr (kTwoPanels) {
      load<7>(w + w_panel_stride, kRowBytes);
      dot_bf16<1, 4, 7>();
      if constexpr (kTwoRows) dot_bf16<3, 5, 7>();
    }
  }
  store<0>(c, c_bytes);
  if constexpr (kTwoPanels) store<1>(c + kPanelRows, c_bytes);
  if constexpr (kTwoRows) store<2>(c_below, c_bytes);
  if constexpr (kTwoRows && kTwoPanels) store<3>(c_below + kPanelRows, c_bytes);
}

// Values [first, first + k) of K, `step` of them per instruction (32 or, at the end of K, fewer).
void bf16_product(const GemmTile& t, int first, int k, int step) noexcept {
  const bool accumulate = t.accumulate || first > 0;
  for (int row = 0; row < t.m; row += 2 * kTileRows) {
    const int left = t.m - row, above = left < kTileRows ? left : kTileRows;
    const int below = left < 2 * kTileRows ? left - above : kTileRows;
    TileShapes shapes;
    shapes.set(0, above, kRowBytes);
    shapes.set(1, above, kRowBytes);
    shapes.set(4, above, step * 2);
    if (below > 0) {
      shapes.set(2, below, kRowBytes);
      shapes.set(3, below, kRowBytes);
      shapes.set(5, below, step * 2);
    }
    shapes.set(6, step / 2, kRowBytes);
    shapes.set(7, step / 2, kRowBytes);
    configure(shapes);
    const uint16_t* a = static_cast<const uint16_t*>(t.a) + static_cast<size_t>(row) * t.a_stride + first;
    const uint16_t* w = static_cast<const uint16_t*>(t.w) + first * kPanelRows;
    float* c = t.c + static_cast<size_t>(row) * t.c_stride;
    for (int p = 0; p < t.panels; p += 2, w += 2 * t.w_panel_stride, c += 2 * kPanelRows) {
      const bool two_panels = t.panels - p > 1;
      const auto block = below > 0 ? two_panels ? bf16_block<true, true> : bf16_block<true, false>
                                   : two_panels ? bf16_block<false, true> : bf16_block<false, false>;
      block(a, t.a_stride, w, t.w_panel_stride, k, step, c, t.c_stride, accumulate);
    }
  }
}

void gemm_bf16(const GemmTile& t) noexcept {
  const int whole = t.k / 32 * 32;
  if (whole > 0) bf16_product(t, 0, whole, 32);
  if (t.k > whole) bf16_product(t, whole, t.k - whole, t.k - whole);
  release();
}

// 16 rows at most by a panel. Tile 0: dots, 1: a, 2: w.
template <bool kMinimums>
inline void quant_block(const QuantTile& t, int row, int rows, int panel) noexcept {
  const ExpandedPanel& w = t.w[panel];
  const int8_t* a = t.a + static_cast<size_t>(row) * t.a_stride;
  alignas(64) int32_t dots[kTileRows][kPanelRows];
  for (int g = 0; g < t.groups; ++g) {
    zero<0>();
    load<1>(a + g * t.group, t.a_stride);
    load<2>(t.q[panel] + static_cast<size_t>(g) * t.q_group_stride, kRowBytes);
    dot_s8u8<0, 1, 2>();
    store<0>(dots, kRowBytes);
    const __m512 scale = _mm512_load_ps(w.scale[g]);
    const size_t block = static_cast<size_t>(g * t.group / kQuantBlock);
    for (int m = 0; m < rows; ++m) {
      const size_t at = static_cast<size_t>(row + m) * t.a_scale_stride + block;
      float* c = t.c + static_cast<size_t>(row + m) * t.c_stride + panel * kPanelRows;
      __m512 sum = g > 0 || t.accumulate ? _mm512_loadu_ps(c) : _mm512_setzero_ps();
      __m512i whole = _mm512_load_si512(dots[m]);
      if constexpr (!kMinimums)
        whole = _mm512_add_epi32(whole, _mm512_set1_epi32(t.a_offset[static_cast<size_t>(row + m) * t.a_offset_stride + static_cast<size_t>(g)]));
      // As _mm512_cvtepi32_ps, of whose undefined operand GCC 12 warns (GCC PR 105593).
      const __m512 dot = __builtin_convertvector(reinterpret_cast<__v16si>(whole), __v16sf);
      sum = _mm512_fmadd_ps(dot, _mm512_mul_ps(scale, _mm512_set1_ps(t.a_scale[at])), sum);
      if constexpr (kMinimums) sum = _mm512_fnmadd_ps(_mm512_load_ps(w.min[g]), _mm512_set1_ps(t.a_sum[at]), sum);
      _mm512_storeu_ps(c, sum);
    }
  }
}

void gemm_quant(const QuantTile& t) noexcept {
  for (int row = 0; row < t.m; row += kTileRows) {
    const int rows = t.m - row < kTileRows ? t.m - row : kTileRows;
    TileShapes shapes;
    shapes.set(0, rows, kRowBytes);
    shapes.set(1, rows, t.group);
    shapes.set(2, t.group / 4, kRowBytes);
    configure(shapes);
    for (int p = 0; p < t.panels; ++p) t.minimums ? quant_block<true>(t, row, rows, p) : quant_block<false>(t, row, rows, p);
  }
  release();
}

}  // namespace

void overlay(Kernels& k) noexcept {
  k.tier = "amx";
  k.gemm_bf16 = gemm_bf16;
  k.gemm_quant = gemm_quant;
}

}  // namespace e4j::cpu::amx
