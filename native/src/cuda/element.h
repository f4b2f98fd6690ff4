// The arithmetic of one element or pair of the element-wise kernels, shared with their emulation on the CPU.
#pragma once
#include <cmath>
#include <cstdint>

#if defined(__CUDACC__)
#define E4J_HOST_DEVICE __host__ __device__
#else
#define E4J_HOST_DEVICE
#endif

namespace e4j::cuda {

E4J_HOST_DEVICE inline float from_bf16(uint16_t h) noexcept {
  union {
    uint32_t bits;
    float value;
  } u{static_cast<uint32_t>(h) << 16};
  return u.value;
}

// Nearest, ties to even; a NaN stays a (quiet) NaN.
E4J_HOST_DEVICE inline uint16_t to_bf16(float f) noexcept {
  union {
    float value;
    uint32_t bits;
  } u{f};
  if ((u.bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(u.bits >> 16 | 0x40u);
  return static_cast<uint16_t>((u.bits + 0x7fffu + (u.bits >> 16 & 1u)) >> 16);
}

// e4m3, 8-bit floating point of 4 exponent and 3 fraction bits, largest value 448, no infinities (Micikevicius et al., arXiv
// 2209.05433). To nearest, ties to even; what is too large becomes +-448, a NaN stays one.
inline constexpr float kLargestE4m3 = 448.0f;
E4J_HOST_DEVICE inline uint8_t to_e4m3(float f) noexcept {
  union {
    float value;
    uint32_t bits;
  } u{f};
  const uint32_t sign = u.bits >> 24 & 0x80u;
  uint32_t magnitude = u.bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint8_t>(sign | 0x7fu);
  if (magnitude >= 0x43e00000u) return static_cast<uint8_t>(sign | 0x7eu);  // 448
  if (magnitude < 0x3c800000u) return static_cast<uint8_t>(sign | static_cast<uint32_t>(rintf(fabsf(f) * 512.0f)));  // below 2^-6: steps of 2^-9
  magnitude += 0x7ffffu + (magnitude >> 20 & 1u);
  return static_cast<uint8_t>(sign | ((magnitude >> 20) - (120u << 3)));
}
E4J_HOST_DEVICE inline float from_e4m3(uint8_t code) noexcept {
  const uint32_t exponent = code >> 3 & 15u, fraction = code & 7u, sign = static_cast<uint32_t>(code & 0x80u) << 24;
  union {
    uint32_t bits;
    float value;
  } u{(code & 0x7fu) == 0x7fu ? 0x7fc00000u : (exponent + 120u) << 23 | fraction << 20};
  if (exponent == 0) u.value = static_cast<float>(fraction) * (1.0f / 512.0f);
  u.bits |= sign;
  return u.value;
}
// value = scale * e4m3, for values of magnitude up to `most`.
E4J_HOST_DEVICE inline float e4m3_scale(float most) noexcept { return most > 1e-30f ? most / kLargestE4m3 : 1.0f; }

// Of a row of n values whose squares sum to `square`.
E4J_HOST_DEVICE inline float rms_scale(float square, int n, float eps) noexcept {
  return 1.0f / sqrtf(square / static_cast<float>(n) + eps);
}

E4J_HOST_DEVICE inline float l2_scale(float square) noexcept { return 1.0f / fmaxf(sqrtf(square), 1e-12f); }

E4J_HOST_DEVICE inline float silu_times(float gate, float up) noexcept { return gate / (1.0f + expf(-gate)) * up; }

E4J_HOST_DEVICE inline float gelu(float x) noexcept { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }

struct Pair {
  float first, second;
};
// The pair (x[j], x[j + half]) of a head.
E4J_HOST_DEVICE inline Pair rotated(float first, float second, float cos, float sin) noexcept {
  return {first * cos - second * sin, second * cos + first * sin};
}

// Where position `row` of rotary pair j stands in positions [axes][rows].
E4J_HOST_DEVICE inline int64_t rotary_index(int32_t axis, int row, int rows) noexcept {
  return static_cast<int64_t>(axis) * rows + row;
}
E4J_HOST_DEVICE inline float rotary_angle(int32_t position, float inv_freq) noexcept {
  return static_cast<float>(position) * inv_freq;
}

// Column of pair `pair` of a row of heads, pairs counted over all heads; its partner is `half` further.
E4J_HOST_DEVICE inline int pair_column(int pair, int half) noexcept { return pair / half * 2 * half + pair % half; }

}  // namespace e4j::cuda
