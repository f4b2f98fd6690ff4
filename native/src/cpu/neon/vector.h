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
  using Floats = float32x4_t;
  static int32x4_t zero() noexcept { return vdupq_n_s32(0); }
  static float32x4_t to_float(int32x4_t s) noexcept { return vcvtq_f32_s32(s); }
  static float32x4_t zero_floats() noexcept { return vdupq_n_f32(0); }
  static float32x4_t load_floats(const float* p) noexcept { return vld1q_f32(p); }
  static void store_floats(float* p, float32x4_t x) noexcept { vst1q_f32(p, x); }
  static float32x4_t broadcast(float x) noexcept { return vdupq_n_f32(x); }
  static float32x4_t mul(float32x4_t a, float32x4_t b) noexcept { return vmulq_f32(a, b); }
  static float32x4_t fma(float32x4_t a, float32x4_t b, float32x4_t c) noexcept { return vfmaq_f32(c, a, b); }
  static float32x4_t fnma(float32x4_t a, float32x4_t b, float32x4_t c) noexcept { return vfmsq_f32(c, a, b); }
};

// Four bytes in every lane.
inline uint8x16_t four_bytes(const void* a) noexcept {
  uint32_t four;
  __builtin_memcpy(&four, a, 4);
  return vreinterpretq_u8_u32(vdupq_n_u32(four));
}
inline int8x16_t without_bias(uint8x16_t x) noexcept { return vreinterpretq_s8_u8(veorq_u8(x, vdupq_n_u8(0x80))); }

// For instructions that multiply signed by signed, with dot(Sum&, weights, activations) still to come. What is stored with
// + 128 loses it here, so no offset undoes it: the weights of a quantised product,
struct SignedBlockDot : NeonDot {
  using Weights = int8x16_t;
  using Activations = int8x16_t;
  template <bool kBiased>
  static int8x16_t weights(const uint8_t* q) noexcept {
    return kBiased ? without_bias(vld1q_u8(q)) : vreinterpretq_s8_u8(vld1q_u8(q));
  }
  static int8x16_t activations(const int8_t* a) noexcept { return vreinterpretq_s8_u8(four_bytes(a)); }
  static int32x4_t start(const int32_t*) noexcept { return zero(); }
};
// and the activations of an exact one.
struct SignedByteDot : NeonDot {
  using Weights = int8x16_t;
  using Activations = int8x16_t;
  static int8x16_t weights(const int8_t* q) noexcept { return vld1q_s8(q); }
  static int8x16_t activations(const uint8_t* a) noexcept { return without_bias(four_bytes(a)); }
  static int32x4_t load(const int32_t*) noexcept { return zero(); }
};

}  // namespace
}  // namespace e4j::cpu
