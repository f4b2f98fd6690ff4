// What an emulated warpgroup multiplies: operands found through matrix descriptors as PTX ISA defines them ("Matrix descriptor",
// "Canonical layouts"), bit for bit, so that a wrong one gives wrong numbers.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "tensor/convert.h"

namespace e4j::cuda {

inline constexpr int kProductRows = 64, kProductCols = 128, kProductDepth = 16;

// What one thread brings.
struct Product {
  float* d;              // [16][4]
  const uint32_t* a;     // [4], or null: as described
  uint64_t a_descriptor, b_descriptor;
  bool b_values;         // b is described as [k][n] ("MN-major"), else as [n][k]
  bool accumulate;
};

struct Descriptor {
  uint32_t start, leading, stride, base_offset, swizzle;

  explicit Descriptor(uint64_t bits)
      : start(field(bits, 0)), leading(field(bits, 16)), stride(field(bits, 32)), base_offset(static_cast<uint32_t>(bits >> 49 & 7)),
        swizzle(static_cast<uint32_t>(bits >> 62)) {}
  static bool well_formed(uint64_t bits) { return (bits & 0x3ff1c000c000c000u) == 0; }  // the bits without a meaning

  // The bytes of a swizzled row: 128, 64, 32, or none.
  uint32_t row_bytes() const { return swizzle == 0 ? 16 : 256u >> swizzle; }

  // The address of element (mn, k), where k goes along the rows of 16 bytes and more.
  uint32_t along_k(uint32_t mn, uint32_t k) const {
    const uint32_t row = mn / 8 * stride + mn % 8 * row_bytes();
    return swizzled(start + row + (swizzle == 0 ? k / 8 * leading + k % 8 * 2 : k * 2));
  }
  // And where mn goes along them.
  uint32_t along_mn(uint32_t mn, uint32_t k) const {
    const uint32_t per_row = row_bytes() / 2, next = swizzle == 0 ? stride : leading, deeper = swizzle == 0 ? leading : stride;
    return swizzled(start + mn % per_row * 2 + mn / per_row * next + k % 8 * row_bytes() + k / 8 * deeper);
  }

 private:
  static uint32_t field(uint64_t bits, int at) { return static_cast<uint32_t>(bits >> at & 0x3fff) << 4; }
  // Bits 4 .. 6 of the address, or as many as the row has, meet those from 7 on, counted from where the pattern begins.
  uint32_t swizzled(uint32_t at) const { return at ^ ((((at >> 7) - base_offset) & (row_bytes() / 16 - 1)) << 4); }
};

// Sums of a warpgroup in the making: what is to be in the registers d of each thread once they have been waited for.
struct ProductSums {
  static constexpr uint32_t kUnfinished = 0x7fa5a5a5;  // a NaN that any arithmetic changes

  std::array<float*, 128> d;
  std::array<int, 4> unfinished{};  // products of each warp
  std::vector<float> values = std::vector<float>(kProductRows * kProductCols);

  static size_t place(int thread, int i) {
    const int row = thread / 32 * 16 + thread % 32 / 4 + i % 4 / 2 * 8, col = i / 4 * 8 + thread % 4 * 2 + i % 2;
    return static_cast<size_t>(row * kProductCols + col);
  }
  void take(int thread) {
    for (int i = 0; i < 64; ++i) {
      values[place(thread, i)] = d[static_cast<size_t>(thread)][i];
      d[static_cast<size_t>(thread)][i] = __builtin_bit_cast(float, kUnfinished);
    }
  }
  // False where somebody has written there meanwhile.
  bool give(int thread) {
    bool untouched = true;
    for (int i = 0; i < 64; ++i) {
      float& to = d[static_cast<size_t>(thread)][i];
      untouched &= __builtin_bit_cast(uint32_t, to) == kUnfinished;
      to = values[place(thread, i)];
    }
    return untouched;
  }
  void add(const float (&a)[kProductRows][kProductDepth], const float (&b)[kProductDepth][kProductCols]) {
    for (int row = 0; row < kProductRows; ++row) {
      float sums[kProductCols] = {};
      for (int k = 0; k < kProductDepth; ++k)
        for (int col = 0; col < kProductCols; ++col) sums[col] += a[row][k] * b[k][col];
      for (int col = 0; col < kProductCols; ++col) values[static_cast<size_t>(row * kProductCols + col)] += sums[col];
    }
  }
};

// Elements of a that a thread holds in registers: row and first column of the pair in word i.
inline int fragment_row(int thread, int i) { return thread / 32 * 16 + thread % 32 / 4 + i % 2 * 8; }
inline int fragment_col(int thread, int i) { return thread % 4 * 2 + i / 2 * 8; }

}  // namespace e4j::cuda
