// Q8_0: 32 values share an f16 scale of a 127th of their largest magnitude; codes are rounded half away from zero.
#include <cmath>
#include <cstring>

#include "tensor/convert.h"
#include "tensor/dtype.h"
#include "tensor/formats.h"

namespace e4j {
namespace {

// roundf for |v| < 2^31 without the library call: v minus its whole part is exact.
int32_t rounded(float v) {
  const auto whole = static_cast<int32_t>(v);
  const float rest = v - static_cast<float>(whole);
  return whole + static_cast<int32_t>(rest >= 0.5f) - static_cast<int32_t>(rest <= -0.5f);
}

}  // namespace

bool quantize_q8_0(const float* src, int64_t cols, void* dst) noexcept {
  bool fits = true;
  auto* out = static_cast<unsigned char*>(dst);
  for (int64_t c = 0; c < cols; c += kQ8Block, src += kQ8Block, out += sizeof(BlockQ8_0)) {
    float most = 0;
    for (int i = 0; i < kQ8Block; ++i) {
      const float magnitude = std::fabs(src[i]);
      most = magnitude > most ? magnitude : most;
    }
    BlockQ8_0 block;
    const float scale = most / 127.0f;
    // Where the scale is so small that its inverse overflows, it is stored as 0: all codes are 0.
    const float inverse = scale >= 0x1p-126f ? 1.0f / scale : 0.0f;
    block.d = f32_to_f16(scale);
    for (int i = 0; i < kQ8Block; ++i) block.qs[i] = static_cast<int8_t>(rounded(src[i] * inverse));
    fits = fits && (block.d & 0x7c00u) != 0x7c00u;
    std::memcpy(out, &block, sizeof block);
  }
  return fits;
}

void dequantize_q8_0(const void* src, int64_t cols, float* dst) noexcept {
  const auto* in = static_cast<const unsigned char*>(src);
  for (int64_t c = 0; c < cols; c += kQ8Block, in += sizeof(BlockQ8_0), dst += kQ8Block) {
    BlockQ8_0 block;
    std::memcpy(&block, in, sizeof block);
    const float scale = f16_to_f32(block.d);
    for (int i = 0; i < kQ8Block; ++i) dst[i] = static_cast<float>(block.qs[i]) * scale;
  }
}

}  // namespace e4j
