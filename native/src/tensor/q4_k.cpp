// Q4_K: affine sub-blocks with 4-bit codes; byte i of each 32-byte run holds value i (low) and value i + 32 (high).
#include <cstring>

#include "tensor/affine_blocks.h"
#include "tensor/convert.h"
#include "tensor/dtype.h"
#include "tensor/formats.h"

namespace e4j {

bool quantize_q4_k(const float* src, int64_t cols, void* dst) noexcept {
  constexpr AffineSearch kSearch{15, -1.0f, 20};
  auto* out = static_cast<unsigned char*>(dst);
  for (int64_t c = 0; c < cols; c += kQKBlock, src += kQKBlock, out += sizeof(BlockQ4_K)) {
    AffineBlock values;
    if (!quantize_affine(src, kSearch, values)) return false;
    BlockQ4_K block;
    block.d = values.d;
    block.dmin = values.dmin;
    std::memcpy(block.scales, values.scales, sizeof block.scales);
    for (int pair = 0; pair < 4; ++pair) {
      const uint8_t* codes = values.codes + 64 * pair;
      for (int i = 0; i < 32; ++i) block.qs[32 * pair + i] = static_cast<uint8_t>(codes[i] | codes[i + 32] << 4);
    }
    std::memcpy(out, &block, sizeof block);
  }
  return true;
}

void dequantize_q4_k(const void* src, int64_t cols, float* dst) noexcept {
  const auto* in = static_cast<const unsigned char*>(src);
  for (int64_t c = 0; c < cols; c += kQKBlock, in += sizeof(BlockQ4_K)) {
    BlockQ4_K block;
    std::memcpy(&block, in, sizeof block);
    const float d = f16_to_f32(block.d), dmin = f16_to_f32(block.dmin);
    for (int j = 0; j < 8; ++j, dst += 32) {
      const SubBlockScale stored = unpack_scale(block.scales, j);
      const float scale = d * static_cast<float>(stored.scale), min = dmin * static_cast<float>(stored.min);
      const uint8_t* qs = block.qs + 32 * (j / 2);
      const int shift = 4 * (j % 2);
      for (int i = 0; i < 32; ++i) dst[i] = scale * static_cast<float>(qs[i] >> shift & 15) - min;
    }
  }
}

}  // namespace e4j
