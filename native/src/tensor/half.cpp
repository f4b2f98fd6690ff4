// F16 and BF16 rows: each value rounded to nearest even on its own.
#include <cstring>

#include "tensor/convert.h"
#include "tensor/formats.h"

namespace e4j {
namespace {

template <uint16_t (*kConvert)(float) noexcept, uint16_t kInfinity>
bool store(const float* src, int64_t cols, void* dst) noexcept {
  auto* out = static_cast<unsigned char*>(dst);
  uint32_t overflows = 0;
  for (int64_t i = 0; i < cols; ++i) {
    const uint16_t half = kConvert(src[i]);
    overflows |= (half & 0x7fffu) == kInfinity;
    std::memcpy(out + 2 * i, &half, sizeof half);
  }
  return overflows == 0;
}

template <float (*kConvert)(uint16_t) noexcept>
void load(const void* src, int64_t cols, float* dst) noexcept {
  const auto* in = static_cast<const unsigned char*>(src);
  for (int64_t i = 0; i < cols; ++i) {
    uint16_t half;
    std::memcpy(&half, in + 2 * i, sizeof half);
    dst[i] = kConvert(half);
  }
}

}  // namespace

bool quantize_f16(const float* src, int64_t cols, void* dst) noexcept { return store<f32_to_f16, 0x7c00>(src, cols, dst); }
void dequantize_f16(const void* src, int64_t cols, float* dst) noexcept { load<f16_to_f32>(src, cols, dst); }

bool quantize_bf16(const float* src, int64_t cols, void* dst) noexcept { return store<f32_to_bf16, 0x7f80>(src, cols, dst); }
void dequantize_bf16(const void* src, int64_t cols, float* dst) noexcept { load<bf16_to_f32>(src, cols, dst); }

}  // namespace e4j
