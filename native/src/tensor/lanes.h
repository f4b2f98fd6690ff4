// Four float lanes of the baseline instruction set (SSE2, NEON), as the compilers' own vector type: the k-quant
// searches run four sub-blocks side by side, so each sub-block's sums keep the order of the scalar definition.
#pragma once
#include <cstdint>

namespace e4j {

inline constexpr int kLanes = 4;
using Lanes = float __attribute__((vector_size(16)));
using LaneMask = int32_t __attribute__((vector_size(16)));  // -1 or 0

static inline Lanes lanes_of(float v) { return Lanes{v, v, v, v}; }

// One value from each of four sub-blocks that lie `stride` apart.
static inline Lanes gather(const float* p, int stride) {
  return Lanes{p[0], p[stride], p[2 * stride], p[3 * stride]};
}

// To the nearest integer, ties to even, for |v| < 2^22: there 1.5 * 2^23 leaves no fraction bits.
static inline Lanes nearest(Lanes v) { return (v + 0x1.8p23f) - 0x1.8p23f; }

// NaN becomes low.
static inline Lanes clamped(Lanes v, float low, float high) {
  const Lanes above = v > lanes_of(low) ? v : lanes_of(low);
  return above < lanes_of(high) ? above : lanes_of(high);
}

static inline Lanes magnitude(Lanes v) { return v < lanes_of(0) ? -v : v; }

}  // namespace e4j
