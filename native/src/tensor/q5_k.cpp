// Q5_K: as Q4_K with a fifth bit: bit j of qh[i] belongs to value i of sub-block j.
#include <cstring>

#include "tensor/affine_blocks.h"
#include "tensor/convert.h"
#include "tensor/dtype.h"
#include "tensor/formats.h"

namespace e4j {

bool quantize_q5_k(const float* src, int64_t cols, void* dst) noexcept {
  constexpr AffineSearch kSearch{31, -0.5f, 15};
  auto* out = static_cast<unsigned char*>(dst);
  for (int64_t c = 0; c < cols; c += kQKBlock, src += kQKBlock, out += sizeof(BlockQ5_K)) {
    AffineBlock values;
    if (!quantize_affine(src, kSearch, values)) return false;
    BlockQ5_K block;
    block.d = values.d;
    block.dmin = values.dmin;
    std::memcpy(block.scales, values.scales, sizeof block.scales);
    for (int pair = 0; pair < 4; ++pair) {
      const uint8_t* codes = values.codes + 64 * pair;
      for (int i = 0; i < 32; ++i)
        block.qs[32 * pair + i] = static_cast<uint8_t>((codes[i] & 15) | (codes[i + 32] & 15) << 4);
    }
    for (int i = 0; i < 32; ++i) {
      uint32_t bits = 0;
      for (int j = 0; j < 8; ++j) bits |= static_cast<uint32_t>(values.codes[32 * j + i] >> 4) << j;
      block.qh[i] = static_cast<uint8_t>(bits);
    }
    std::memcpy(out, &block, sizeof block);
  }
  return true;
}

void dequantize_q5_k(const void* src, int64_t cols, float* dst) noexcept {
  const auto* in = static_cast<const unsigned char*>(src);
  for (int64_t c = 0; c < cols; c += kQKBlock, in += sizeof(BlockQ5_K)) {
    BlockQ5_K block;
    std::memcpy(&block, in, sizeof block);
    const float d = f16_to_f32(block.d), dmin = f16_to_f32(block.dmin);
    for (int j = 0; j < 8; ++j, dst += 32) {
      const SubBlockScale stored = unpack_scale(block.scales, j);
      const float scale = d * static_cast<float>(stored.scale), min = dmin * static_cast<float>(stored.min);
      const uint8_t* qs = block.qs + 32 * (j / 2);
      const int shift = 4 * (j % 2);
      for (int i = 0; i < 32; ++i) {
        const int code = (qs[i] >> shift & 15) | (block.qh[i] >> j & 1) << 4;
        dst[i] = scale * static_cast<float>(code) - min;
      }
    }
  }
}

}  // namespace e4j
