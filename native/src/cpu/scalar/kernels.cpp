// The reference tier: plain loops that say what each kernel computes.
#include "cpu/kernels.h"

namespace e4j::cpu::scalar {

#include "cpu/elementwise.inl"
#include "cpu/expand.inl"
constexpr int kLanes = 4;
#include "cpu/maxsim.inl"

namespace {

inline float bf16_value(uint16_t b) noexcept { return bits_to_float(static_cast<uint32_t>(b) << 16); }

// value(p, k, r): weight of row r of panel p; activation(m, k).
template <class Value, class Activation>
void product(const GemmTile& t, Value value, Activation activation) noexcept {
  for (int m = 0; m < t.m; ++m)
    for (int p = 0; p < t.panels; ++p)
      for (int r = 0; r < kPanelRows; ++r) {
        float& c = t.c[static_cast<size_t>(m) * t.c_stride + static_cast<size_t>(p * kPanelRows + r)];
        float sum = t.accumulate ? c : 0.0f;
        for (int k = 0; k < t.k; ++k) sum = sum + activation(m, k) * value(p, k, r);
        c = sum;
      }
}

void gemm_f32(const GemmTile& t) noexcept {
  const float* w = static_cast<const float*>(t.w);
  const float* a = static_cast<const float*>(t.a);
  product(
      t, [&](int p, int k, int r) { return w[static_cast<size_t>(p) * t.w_panel_stride + static_cast<size_t>(k * kPanelRows + r)]; },
      [&](int m, int k) { return a[static_cast<size_t>(m) * t.a_stride + static_cast<size_t>(k)]; });
}

void gemm_f16(const GemmTile& t) noexcept {
  const uint16_t* w = static_cast<const uint16_t*>(t.w);
  const float* a = static_cast<const float*>(t.a);
  product(
      t,
      [&](int p, int k, int r) { return half_to_float(w[static_cast<size_t>(p) * t.w_panel_stride + static_cast<size_t>(k * kPanelRows + r)]); },
      [&](int m, int k) { return a[static_cast<size_t>(m) * t.a_stride + static_cast<size_t>(k)]; });
}

void gemm_bf16(const GemmTile& t) noexcept {
  const uint16_t* w = static_cast<const uint16_t*>(t.w);
  const uint16_t* a = static_cast<const uint16_t*>(t.a);
  product(
      t,
      [&](int p, int k, int r) {
        return bf16_value(w[static_cast<size_t>(p) * t.w_panel_stride + static_cast<size_t>((k / 2 * kPanelRows + r) * 2 + k % 2)]);
      },
      [&](int m, int k) { return bf16_value(a[static_cast<size_t>(m) * t.a_stride + static_cast<size_t>(k)]); });
}

void gemm_quant(const QuantTile& t) noexcept {
  for (int m = 0; m < t.m; ++m)
    for (int p = 0; p < t.panels; ++p)
      for (int r = 0; r < kPanelRows; ++r) {
        const int8_t* a = t.a + static_cast<size_t>(m) * t.a_stride;
        float& c = t.c[static_cast<size_t>(m) * t.c_stride + static_cast<size_t>(p * kPanelRows + r)];
        float sum = t.accumulate ? c : 0.0f;
        for (int g = 0; g < t.groups; ++g) {
          int32_t dot = t.minimums ? 0 : t.a_offset[static_cast<size_t>(m) * t.a_offset_stride + static_cast<size_t>(g)];
          const uint8_t* q = t.q[p] + static_cast<size_t>(g) * t.q_group_stride;
          for (int i = 0; i < t.group; ++i) dot += a[g * t.group + i] * q[(i / 4 * kPanelRows + r) * 4 + i % 4];
          const size_t block = static_cast<size_t>(m) * t.a_scale_stride + static_cast<size_t>(g * t.group / kQuantBlock);
          sum = sum + static_cast<float>(dot) * (t.w[p].scale[g][r] * t.a_scale[block]);
          if (t.minimums) sum = sum - t.w[p].min[g][r] * t.a_sum[block];
        }
        c = sum;
      }
}

void dot_i8(const DotTile& t) noexcept {
  for (int m = 0; m < t.m; ++m)
    for (int p = 0; p < t.panels; ++p)
      for (int r = 0; r < kPanelRows; ++r) {
        const uint8_t* a = t.a + static_cast<size_t>(m) * t.a_stride;
        const int8_t* w = t.w + static_cast<size_t>(p) * t.w_panel_stride;
        int32_t dot = t.offset[p * kPanelRows + r];
        for (int k = 0; k < t.k; ++k) dot += a[k] * w[(k / 4 * kPanelRows + r) * 4 + k % 4];
        t.c[static_cast<size_t>(m) * t.c_stride + static_cast<size_t>(p * kPanelRows + r)] = static_cast<float>(dot) * t.a_scale[m];
      }
}

}  // namespace

void overlay(Kernels& k) noexcept {
  k.tier = "scalar";
  overlay_elementwise(k);
  overlay_expand(k);
  k.gemm_f32 = gemm_f32;
  k.gemm_f16 = gemm_f16;
  k.gemm_bf16 = gemm_bf16;
  k.gemm_quant = gemm_quant;
  k.dot_i8 = dot_i8;
  k.max_rows = max_rows;
  k.expand_bits = expand_bytes;
}

}  // namespace e4j::cpu::scalar
