// What Q4_K and Q5_K share: 256 values in 8 sub-blocks of 32, value = d * scale * code - dmin * min, with 6-bit scales
// and minimums per sub-block.
#pragma once
#include <cstdint>

namespace e4j {

struct AffineSearch {
  int max_code;       // 15 or 31
  float first_shift;  // of max_code, in the first trial
  int trials;         // each 0.1 further
};

struct AffineBlock {
  uint16_t d, dmin;
  uint8_t scales[12];  // packed as the file has them
  uint8_t codes[256];
};

// src [256]; false when d or dmin does not fit f16.
bool quantize_affine(const float* src, const AffineSearch& search, AffineBlock& out) noexcept;

// The 6-bit pairs: 0-3 lie in the low bits of bytes 0-3 (scales) and 4-7 (minimums); 4-7 have their low four bits in
// bytes 8-11 (scale low nibble, minimum high nibble) and their high two bits on top of bytes 0-3 and 4-7.
struct SubBlockScale {
  uint8_t scale, min;
};
static inline SubBlockScale unpack_scale(const uint8_t* scales, int j) noexcept {
  if (j < 4) return {static_cast<uint8_t>(scales[j] & 63), static_cast<uint8_t>(scales[j + 4] & 63)};
  return {static_cast<uint8_t>((scales[j + 4] & 15) | scales[j - 4] >> 6 << 4),
          static_cast<uint8_t>(scales[j + 4] >> 4 | scales[j] >> 6 << 4)};
}

}  // namespace e4j
