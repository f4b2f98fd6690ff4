// FEAT_I8MM: USMMLA, a 2 x 8 matrix of u8 times an 8 x 2 matrix of s8 into four 32-bit lanes, twice the products of a dot
// instruction; and USDOT where rows go one by one.
#include "cpu/neon/vector.h"

namespace e4j::cpu::neon_i8mm {

#include "cpu/dot_i8.inl"

namespace {

struct ByteDot : NeonDot {
  using Weights = int8x16_t;
  using Activations = uint8x16_t;
  static int8x16_t weights(const int8_t* q) noexcept { return vld1q_s8(q); }
  static uint8x16_t activations(const uint8_t* a) noexcept { return four_bytes(a); }
  static void dot(int32x4_t& s, int8x16_t w, uint8x16_t a) noexcept { s = vusdotq_s32(s, a, w); }
  static int32x4_t load(const int32_t* p) noexcept { return vld1q_s32(p); }
};

constexpr int kCols = kPanelRows / 2;  // columns of a tile: half a panel, which leaves registers for six rows

// c[2 * kPairs][kCols] from row `row` and column `col` of panel `panel` on. Beyond the last row it is computed again, unused.
template <int kPairs, int kGroup, bool kMinimums>
inline void quant_tile(const QuantTile& t, int row, int panel, int col) noexcept {
  constexpr int kRows = 2 * kPairs;
  const ExpandedPanel& w = t.w[panel];
  const int8_t* a[kRows];
  const float *a_scale[kRows], *a_sum[kRows];
  const int32_t* a_offset[kRows];
  float* c[kRows];
  float32x4_t sum[kRows][2];
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
    const size_t at = static_cast<size_t>(row + m < t.m ? row + m : t.m - 1);
    a[m] = t.a + at * t.a_stride;
    a_scale[m] = t.a_scale + at * t.a_scale_stride;
    a_sum[m] = t.a_sum + at * t.a_scale_stride;
    a_offset[m] = t.a_offset + at * t.a_offset_stride;
    c[m] = t.c + at * t.c_stride + panel * kPanelRows + col;
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) sum[m][v] = t.accumulate ? vld1q_f32(c[m] + 4 * v) : vdupq_n_f32(0);
  }
  for (int g = 0; g < t.groups; ++g) {
    // dots[p][j]: columns 2j and 2j + 1, each of rows 2p and 2p + 1.
    int32x4_t dots[kPairs][4];
#pragma GCC unroll 4
    for (int p = 0; p < kPairs; ++p) {
      int32x4_t start = vdupq_n_s32(0);
      if constexpr (!kMinimums) start = vzip1q_s32(vld1q_dup_s32(a_offset[2 * p] + g), vld1q_dup_s32(a_offset[2 * p + 1] + g));
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) dots[p][j] = start;
    }
    const uint8_t* q = t.q[panel] + static_cast<size_t>(g) * t.q_group_stride + col * 4;
#pragma GCC unroll 4
    for (int k = 0; k < kGroup; k += 8, q += 2 * kPanelRows * 4) {
      // Four columns by four values of K, twice -> two pairs of columns by eight values of K.
      uint8x16_t weights[4];
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) {
        const int32x4_t first = vreinterpretq_s32_u8(vld1q_u8(q + 16 * v));
        const int32x4_t second = vreinterpretq_s32_u8(vld1q_u8(q + kPanelRows * 4 + 16 * v));
        weights[2 * v] = vreinterpretq_u8_s32(vzip1q_s32(first, second));
        weights[2 * v + 1] = vreinterpretq_u8_s32(vzip2q_s32(first, second));
      }
#pragma GCC unroll 4
      for (int p = 0; p < kPairs; ++p) {
        const int at = g * kGroup + k;
        const int8x16_t pair = vcombine_s8(vld1_s8(a[2 * p] + at), vld1_s8(a[2 * p + 1] + at));
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) dots[p][j] = vusmmlaq_s32(dots[p][j], weights[j], pair);
      }
    }
    const int block = g * kGroup / kQuantBlock;
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m)
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) {
        const int32x4_t x = dots[m / 2][2 * v], y = dots[m / 2][2 * v + 1];
        const float32x4_t scale = vmulq_n_f32(vld1q_f32(&w.scale[g][col + 4 * v]), a_scale[m][block]);
        sum[m][v] = vfmaq_f32(sum[m][v], vcvtq_f32_s32(m % 2 == 0 ? vuzp1q_s32(x, y) : vuzp2q_s32(x, y)), scale);
        if constexpr (kMinimums) sum[m][v] = vfmsq_f32(sum[m][v], vld1q_f32(&w.min[g][col + 4 * v]), vdupq_n_f32(a_sum[m][block]));
      }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m)
    if (row + m < t.m) {
      vst1q_f32(c[m], sum[m][0]);
      vst1q_f32(c[m] + 4, sum[m][1]);
    }
}

template <int kGroup, bool kMinimums>
inline void quant_product(const QuantTile& t) noexcept {
  for (int panel = 0; panel < t.panels; ++panel)
    for (int col = 0; col < kPanelRows; col += kCols)
      for (int row = 0; row < t.m; row += 6) {
        if (t.m - row > 4) quant_tile<3, kGroup, kMinimums>(t, row, panel, col);
        else if (t.m - row > 2) quant_tile<2, kGroup, kMinimums>(t, row, panel, col);
        else quant_tile<1, kGroup, kMinimums>(t, row, panel, col);
      }
}

void gemm_quant(const QuantTile& t) noexcept {
  if (t.group == 16) return quant_product<16, false>(t);
  if (t.minimums) return quant_product<32, true>(t);
  return quant_product<32, false>(t);
}

}  // namespace

void overlay(Kernels& k) noexcept {
  k.tier = "neon_i8mm";
  k.gemm_quant = gemm_quant;
  k.dot_i8 = dot_i8_tiled<ByteDot, 6, 1>;
}

}  // namespace e4j::cpu::neon_i8mm
