// What the NEON tiers share: four float lanes, and the float half of a Dot policy (gemm_quant.inl).
#pragma once
#include <arm_neon.h>

#include "cpu/kernels.h"

namespace e4j::cpu {
namespace {

struct Vector {
  static constexpr int kLanes = 4;
  float32x4_t v;
  static Vector zero() noexcept { return {vdupq_n_f32(0)}; }
  static Vector load(const float* p) noexcept { return {vld1q_f32(p)}; }
  static void store(float* p, Vector x) noexcept { vst1q_f32(p, x.v); }
};

struct NeonDot {
  static constexpr int kLanes = 4;
  using Sum = int32x4_t;
  using Weights = int8x16_t;
  using Floats = float32x4_t;
  static int8x16_t weights(const int8_t* q) noexcept { return vld1q_s8(q); }
  static float32x4_t to_float(int32x4_t s) noexcept { return vcvtq_f32_s32(s); }
  static float32x4_t zero_floats() noexcept { return vdupq_n_f32(0); }
  static float32x4_t load_floats(const float* p) noexcept { return vld1q_f32(p); }
  static void store_floats(float* p, float32x4_t x) noexcept { vst1q_f32(p, x); }
  static float32x4_t broadcast(float x) noexcept { return vdupq_n_f32(x); }
  static float32x4_t mul(float32x4_t a, float32x4_t b) noexcept { return vmulq_f32(a, b); }
  static float32x4_t fma(float32x4_t a, float32x4_t b, float32x4_t c) noexcept { return vfmaq_f32(c, a, b); }
  static float32x4_t fnma(float32x4_t a, float32x4_t b, float32x4_t c) noexcept { return vfmsq_f32(c, a, b); }
};

// Four activations in every lane, as stored: value + 128.
inline uint8x16_t four_activations(const uint8_t* a) noexcept {
  uint32_t four;
  __builtin_memcpy(&four, a, 4);
  return vreinterpretq_u8_u32(vdupq_n_u32(four));
}

// For instructions that multiply signed by signed: the activations' +128 is taken off here, so no offset undoes it.
struct SignedDot : NeonDot {
  using Activations = int8x16_t;
  static int8x16_t activations(const uint8_t* a) noexcept {
    return vreinterpretq_s8_u8(veorq_u8(four_activations(a), vdupq_n_u8(0x80)));
  }
  static int32x4_t load(const int32_t*) noexcept { return vdupq_n_s32(0); }
};

}  // namespace
}  // namespace e4j::cpu
