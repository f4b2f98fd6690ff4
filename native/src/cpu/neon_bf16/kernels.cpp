// FEAT_BF16: BFDOT, a pair of bf16 products into each 32-bit lane.
#include "cpu/neon/vector.h"

namespace e4j::cpu::neon_bf16 {

#include "cpu/gemm_float.inl"

namespace {

struct DotStep {
  using Weight = uint16_t;
  using Activation = uint16_t;
  using Operand = bfloat16x8_t;
  static constexpr int kValues = 2;
  static bfloat16x8_t weights(const uint16_t* w) noexcept { return vreinterpretq_bf16_u16(vld1q_u16(w)); }
  static bfloat16x8_t broadcast(const uint16_t* a) noexcept {
    uint32_t pair;
    __builtin_memcpy(&pair, a, 4);
    return vreinterpretq_bf16_u32(vdupq_n_u32(pair));
  }
  static void madd(Vector& s, bfloat16x8_t w, bfloat16x8_t a) noexcept { s.v = vbfdotq_f32(s.v, a, w); }
};

}  // namespace

void overlay(Kernels& k) noexcept {
  k.tier = "neon_bf16";
  k.gemm_bf16 = gemm_float<Vector, DotStep, 6, 1>;
}

}  // namespace e4j::cpu::neon_bf16
