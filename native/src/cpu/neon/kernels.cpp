// Baseline NEON (Armv8.0): 128-bit float products; 8-bit dots by widening multiplies. The row-wise and expanding kernels stay
// with the scalar tier, which the compiler vectorises for the same instructions.
#include "cpu/neon/vector.h"

namespace e4j::cpu::neon {

#include "cpu/gemm_float.inl"
#include "cpu/gemm_quant.inl"
#include "cpu/dot_i8.inl"

namespace {

struct F32Step {
  using Weight = float;
  using Activation = float;
  using Operand = float32x4_t;
  static constexpr int kValues = 1;
  static float32x4_t weights(const float* w) noexcept { return vld1q_f32(w); }
  static float32x4_t broadcast(const float* a) noexcept { return vld1q_dup_f32(a); }
  static void madd(Vector& s, float32x4_t w, float32x4_t a) noexcept { s.v = vfmaq_f32(s.v, a, w); }
};

struct F16Step : F32Step {
  using Weight = uint16_t;
  static float32x4_t weights(const uint16_t* w) noexcept { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(w))); }
};

// A bf16 is the upper half of a float: the odd element of a pair by a mask, the even one by a shift.
struct Pair {
  float32x4_t even, odd;
};
inline Pair split_pair(uint32x4_t pairs) noexcept {
  return {vreinterpretq_f32_u32(vshlq_n_u32(pairs, 16)), vreinterpretq_f32_u32(vandq_u32(pairs, vdupq_n_u32(0xFFFF0000u)))};
}
struct Bf16Step {
  using Weight = uint16_t;
  using Activation = uint16_t;
  using Operand = Pair;
  static constexpr int kValues = 2;
  static Pair weights(const uint16_t* w) noexcept { return split_pair(vreinterpretq_u32_u16(vld1q_u16(w))); }
  static Pair broadcast(const uint16_t* a) noexcept {
    uint32_t pair;
    __builtin_memcpy(&pair, a, 4);
    return split_pair(vdupq_n_u32(pair));
  }
  static void madd(Vector& s, const Pair& w, const Pair& a) noexcept {
    s.v = vfmaq_f32(s.v, a.even, w.even);
    s.v = vfmaq_f32(s.v, a.odd, w.odd);
  }
};

// Of weight and activation at most one is ever -128 (kernels.h), so a pair of products stays below 2^15.
inline void add_products(int32x4_t& s, int8x16_t w, int8x16_t a) noexcept {
  const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(a)), high = vmull_high_s8(w, a);
  s = vpadalq_s16(s, vpaddq_s16(low, high));
}
struct BlockDot : SignedBlockDot {
  template <bool>
  static void dot(int32x4_t& s, int8x16_t w, int8x16_t a) noexcept { add_products(s, w, a); }
};
struct ByteDot : SignedByteDot {
  static void dot(int32x4_t& s, int8x16_t w, int8x16_t a) noexcept { add_products(s, w, a); }
};

}  // namespace

void overlay(Kernels& k) noexcept {
  k.tier = "neon";
  k.gemm_f32 = gemm_float<Vector, F32Step, 6, 1>;
  k.gemm_f16 = gemm_float<Vector, F16Step, 6, 1>;
  k.gemm_bf16 = gemm_float<Vector, Bf16Step, 4, 1>;
  k.gemm_quant = gemm_quant_tiled<BlockDot, 2, 1>;
  k.dot_i8 = dot_i8_tiled<ByteDot, 4, 1>;
}

}  // namespace e4j::cpu::neon
