// bf16 and f16 <-> float32, scalar; rounding to nearest, ties to even; a NaN stays a (quiet) NaN.
// Internal linkage and no std::bit_cast on purpose: files compiled for one CPU tier include this (cmake/CpuTiers.cmake).
#pragma once
#include <cstdint>

namespace e4j {

static inline float bf16_to_f32(uint16_t h) noexcept { return __builtin_bit_cast(float, static_cast<uint32_t>(h) << 16); }

static inline uint16_t f32_to_bf16(float f) noexcept {
  const uint32_t bits = __builtin_bit_cast(uint32_t, f);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

static inline float f16_to_f32(uint16_t h) noexcept {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
  const uint32_t magnitude = h & 0x7fffu;
  if (magnitude < 0x0400u)  // subnormal: a multiple of 2^-24
    return __builtin_bit_cast(float, sign | __builtin_bit_cast(uint32_t, static_cast<float>(magnitude) * 0x1p-24f));
  if (magnitude < 0x7c00u) return __builtin_bit_cast(float, sign | ((magnitude << 13) + (112u << 23)));
  const uint32_t quiet = magnitude > 0x7c00u ? 0x400000u : 0u;
  return __builtin_bit_cast(float, sign | 0x7f800000u | (magnitude & 0x3ffu) << 13 | quiet);
}

static inline uint16_t f32_to_f16(float f) noexcept {
  const uint32_t bits = __builtin_bit_cast(uint32_t, f);
  const uint32_t sign = bits >> 16 & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t half;
  if (magnitude < 0x38800000u)  // below 2^-14: beside 0.5 a float32 resolves 2^-24, f16's subnormal step
    half = __builtin_bit_cast(uint32_t, __builtin_bit_cast(float, magnitude) + 0.5f) - __builtin_bit_cast(uint32_t, 0.5f);
  else if (magnitude < 0x477ff000u)  // below 65520, halfway to what f16 lacks
    half = ((magnitude + 0xfffu + (magnitude >> 13 & 1u)) >> 13) - (112u << 10);
  else if (magnitude <= 0x7f800000u)
    half = 0x7c00u;
  else
    half = 0x7e00u | (magnitude >> 13 & 0x1ffu);
  return static_cast<uint16_t>(sign | half);
}

}  // namespace e4j
