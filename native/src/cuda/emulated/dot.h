// The products of both emulated libraries: rows as float32 first, then sums in sixteen parts that the compiler keeps in vectors.
#pragma once
#include <cstdint>
#include <vector>

namespace e4j::cuda::emulated {

inline float dot(const float* a, const float* b, int64_t n) noexcept {
  float parts[16] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int j = 0; j < 16; ++j) parts[j] += a[i + j] * b[i + j];
  float sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (const float part : parts) sum += part;
  return sum;
}

// [rows][cols] of value(row, col).
template <class Value>
std::vector<float> floats(int64_t rows, int64_t cols, Value&& value) {
  std::vector<float> all(static_cast<size_t>(rows * cols));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) all[static_cast<size_t>(r * cols + c)] = value(r, c);
  return all;
}

}  // namespace e4j::cuda::emulated
