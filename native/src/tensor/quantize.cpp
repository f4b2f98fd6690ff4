#include "tensor/quantize.h"

#include <bit>
#include <cstring>

#include "base/status.h"
#include "tensor/formats.h"

namespace e4j {
namespace {

constexpr uint32_t kInfinityBits = 0x7f800000u;
// No block type's f16 scale reaches this far, and below it the sums of squares stay finite.
constexpr uint32_t kBlockLimitBits = std::bit_cast<uint32_t>(0x1p28f);

uint32_t magnitude_bits(float f) { return std::bit_cast<uint32_t>(f) & 0x7fffffffu; }

// Bits of the largest magnitude; they order as the magnitudes do, with infinity and NaN on top.
uint32_t largest_magnitude(const float* row, int64_t cols) {
  int32_t most = 0;
  for (int64_t i = 0; i < cols; ++i) {
    const auto bits = static_cast<int32_t>(magnitude_bits(row[i]));
    most = bits > most ? bits : most;
  }
  return static_cast<uint32_t>(most);
}

[[noreturn]] void refuse_non_finite(DType type, const float* row, int64_t index) {
  int64_t column = 0;
  while (magnitude_bits(row[column]) < kInfinityBits) ++column;
  fail(E4J_INVALID_ARGUMENT, "row %lld, column %lld: %g cannot be stored as %s", static_cast<long long>(index),
       static_cast<long long>(column), static_cast<double>(row[column]), dtype_name(type));
}

bool quantize_row(DType type, const float* src, int64_t cols, void* dst) noexcept {
  switch (type) {
    case DType::F32: std::memcpy(dst, src, static_cast<size_t>(cols) * sizeof(float)); return true;
    case DType::F16: return quantize_f16(src, cols, dst);
    case DType::BF16: return quantize_bf16(src, cols, dst);
    case DType::Q8_0: return quantize_q8_0(src, cols, dst);
    case DType::Q4_K: return quantize_q4_k(src, cols, dst);
    case DType::Q5_K: return quantize_q5_k(src, cols, dst);
    case DType::Q6_K: return quantize_q6_k(src, cols, dst);
  }
  return false;
}

void dequantize_row(DType type, const void* src, int64_t cols, float* dst) noexcept {
  switch (type) {
    case DType::F32: std::memcpy(dst, src, static_cast<size_t>(cols) * sizeof(float)); break;
    case DType::F16: dequantize_f16(src, cols, dst); break;
    case DType::BF16: dequantize_bf16(src, cols, dst); break;
    case DType::Q8_0: dequantize_q8_0(src, cols, dst); break;
    case DType::Q4_K: dequantize_q4_k(src, cols, dst); break;
    case DType::Q5_K: dequantize_q5_k(src, cols, dst); break;
    case DType::Q6_K: dequantize_q6_k(src, cols, dst); break;
  }
}

}  // namespace

void quantize_rows(DType type, const float* src, int64_t rows, int64_t cols, void* dst) {
  const size_t bytes = row_bytes(type, cols);
  const bool blocks = dtype_block(type) > 1;
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = src + r * cols;
    const uint32_t most = largest_magnitude(row, cols);
    if (most >= kInfinityBits) refuse_non_finite(type, row, r);
    if ((blocks && most >= kBlockLimitBits) ||
        !quantize_row(type, row, cols, static_cast<std::byte*>(dst) + static_cast<size_t>(r) * bytes))
      fail(E4J_INVALID_ARGUMENT, "row %lld: values up to %g in magnitude are too large for %s",
           static_cast<long long>(r), static_cast<double>(std::bit_cast<float>(most)), dtype_name(type));
  }
}

void dequantize_rows(DType type, const void* src, int64_t rows, int64_t cols, float* dst) {
  const size_t bytes = row_bytes(type, cols);
  for (int64_t r = 0; r < rows; ++r)
    dequantize_row(type, static_cast<const std::byte*>(src) + static_cast<size_t>(r) * bytes, cols, dst + r * cols);
}

}  // namespace e4j
