// Single values of the stored blocks (tensor/dtype.h), for packing and expanding them: clear rather than quick, as both happen
// once. The tensor layer's own routines work on whole rows and are compared with these in the tests.
#pragma once
#include <cstdint>

#include "cuda/thread_block/host_device.h"
#include "cuda/thread_block/numbers.h"
#include "tensor/dtype.h"

namespace e4j::cuda {

E4J_HOST_DEVICE uint32_t byte_at(const std::byte* p, int i) { return static_cast<uint32_t>(p[i]); }
E4J_HOST_DEVICE uint32_t half_at(const std::byte* p, int i) { return byte_at(p, i) | byte_at(p, i + 1) << 8; }

// The 6-bit scale and minimum of one of the eight sub-blocks of q4_k and q5_k (tensor/affine_blocks.h), as scale | min << 8.
E4J_HOST_DEVICE uint32_t scale_and_min(const std::byte* scales, int j) {
  if (j < 4) return (byte_at(scales, j) & 63) | (byte_at(scales, j + 4) & 63) << 8;
  const uint32_t low = byte_at(scales, j + 4);
  return (low & 15) | byte_at(scales, j - 4) >> 6 << 4 | (low >> 4 | byte_at(scales, j) >> 6 << 4) << 8;
}

// Where the parts of a block lie.
inline constexpr int kQ4Codes = 16, kQ5High = 16, kQ5Codes = 48, kAffineScales = 4, kQ6High = 128, kQ6Scales = 192, kQ6Scale = 208;

// The stored code of value k of a row: of q8_0 and q6_k signed, of q4_k and q5_k not.
E4J_HOST_DEVICE int stored_code(DType type, const std::byte* row, int k) {
  if (type == DType::Q8_0) {
    const std::byte* block = row + static_cast<int64_t>(k / kQ8Block) * static_cast<int>(sizeof(BlockQ8_0));
    return static_cast<int8_t>(byte_at(block, 2 + k % kQ8Block));
  }
  const int i = k % kQKBlock, j = i / 32;  // a run of 32 values
  const int64_t index = k / kQKBlock;
  if (type == DType::Q6_K) {
    const std::byte* block = row + index * static_cast<int>(sizeof(BlockQ6_K));
    const int half = j / 4, place = j % 4;
    const uint32_t low = byte_at(block, 64 * half + 32 * (place % 2) + i % 32) >> 4 * (place / 2) & 15;
    const uint32_t high = byte_at(block, kQ6High + 32 * half + i % 32) >> 2 * place & 3;
    return static_cast<int>(low | high << 4) - 32;
  }
  const bool q5 = type == DType::Q5_K;
  const std::byte* block = row + index * static_cast<int>(q5 ? sizeof(BlockQ5_K) : sizeof(BlockQ4_K));
  const uint32_t low = byte_at(block, (q5 ? kQ5Codes : kQ4Codes) + 32 * (j / 2) + i % 32) >> 4 * (j % 2) & 15;
  const uint32_t high = q5 ? byte_at(block, kQ5High + i % 32) >> j & 1 : 0;
  return static_cast<int>(low | high << 4);
}

// The scales of the 64 values from k on (a multiple of 64), as one word: q8_0 two f16; q4_k, q5_k scale, min, scale, min; q6_k
// four signed bytes.
E4J_HOST_DEVICE uint32_t stored_scales(DType type, const std::byte* row, int k, int cols) {
  if (type == DType::Q8_0) {
    const std::byte* block = row + static_cast<int64_t>(k / kQ8Block) * static_cast<int>(sizeof(BlockQ8_0));
    return half_at(block, 0) | (k + kQ8Block < cols ? half_at(block, sizeof(BlockQ8_0)) << 16 : 0);
  }
  const int64_t index = k / kQKBlock;
  const int unit = k % kQKBlock / 64;
  if (type == DType::Q6_K) {
    const std::byte* scales = row + index * static_cast<int>(sizeof(BlockQ6_K)) + kQ6Scales + 4 * unit;
    return half_at(scales, 0) | half_at(scales, 2) << 16;
  }
  const std::byte* scales = row + index * static_cast<int>(type == DType::Q5_K ? sizeof(BlockQ5_K) : sizeof(BlockQ4_K)) + kAffineScales;
  return scale_and_min(scales, 2 * unit) | scale_and_min(scales, 2 * unit + 1) << 16;
}

// The scale of the scales of value k's 256 values, and beside it that of the minimums: two f16. 0 for q8_0, which has none.
E4J_HOST_DEVICE uint32_t stored_super_scale(DType type, const std::byte* row, int k) {
  const int64_t index = k / kQKBlock;
  switch (type) {
    case DType::Q4_K: return half_at(row + index * static_cast<int>(sizeof(BlockQ4_K)), 0) | half_at(row + index * static_cast<int>(sizeof(BlockQ4_K)), 2) << 16;
    case DType::Q5_K: return half_at(row + index * static_cast<int>(sizeof(BlockQ5_K)), 0) | half_at(row + index * static_cast<int>(sizeof(BlockQ5_K)), 2) << 16;
    case DType::Q6_K: return half_at(row + index * static_cast<int>(sizeof(BlockQ6_K)), kQ6Scale);
    default: return 0;
  }
}

// Scale and minimum of the group that value k of a unit of 64 (0 .. 63) belongs to: value = scale * code - min, of which only
// the difference is rounded (11 + 6 + 5 bits, 11 + 7 + 6 and 11 + 8 fit float32's 24).
struct GroupScale {
  float scale, min;
};
E4J_HOST_DEVICE GroupScale group_scale(DType type, uint32_t scales, uint32_t super_scale, int k) {
  if (type == DType::Q8_0) return {half_to_float(scales >> (k / 32 * 16) & 0xffff), 0};
  const float d = half_to_float(super_scale & 0xffff);
  if (type == DType::Q6_K) return {d * static_cast<float>(static_cast<int8_t>(scales >> (k / 16 * 8) & 0xff)), 0};
  const uint32_t pair = scales >> (k / 32 * 16);
  return {d * static_cast<float>(pair & 0xff), half_to_float(super_scale >> 16) * static_cast<float>(pair >> 8 & 0xff)};
}

// Value k of a row of any type.
E4J_HOST_DEVICE float stored_value(DType type, const std::byte* row, int k, int cols) {
  switch (type) {
    case DType::F32: return __builtin_bit_cast(float, half_at(row, 4 * k) | half_at(row, 4 * k + 2) << 16);
    case DType::F16: return half_to_float(half_at(row, 2 * k));
    case DType::BF16: return __builtin_bit_cast(float, half_at(row, 2 * k) << 16);
    default: break;
  }
  const GroupScale group = group_scale(type, stored_scales(type, row, k / 64 * 64, cols), stored_super_scale(type, row, k), k % 64);
  return group.scale * static_cast<float>(stored_code(type, row, k)) - group.min;
}

}  // namespace e4j::cuda
