// The packed form of quantised weights. A unit is 32 rows (n) by 64 values of K and is read by one warp, each lane exactly the
// bytes it needs itself:
//
//   codes   [slots][32 lanes][16 bytes]   q8_0: slots = 4, one per 8 rows; else 2: low nibbles
//   high    [words][32 lanes][4 bytes]    q5_k: 2 words, q6_k: [32 lanes][16 bytes]
//   scales  [32 rows][4 bytes]            stored_scales()
//
// Lane l serves rows 8j + l / 4, j = 0 .. 3, and of each half h of 32 values the eight from 8 * (l % 4) on: the operands of two
// mma instructions, whose k is summed in another order than it is stored in, the same for both operands.
//
//   q8_0    word 2h + i / 4 of slot j, byte i % 4: value i
//   else    word 2j + h of the lane's 8: value i < 4 in the low nibble of byte i, value i + 4 in its high nibble
//   q5_k    word h: the fifth bits, that of value i of rows j in byte i % 4, bit 2j + i / 4
//   q6_k    word 2h + j / 2: the high two bits, in byte i % 4 from bit 2 * (2 * (j % 2) + i / 4) on; code + 32 is what is split
//
// Units of the same rows follow each other along K; four units of q4_k, q5_k and q6_k (256 values) come after their
// stored_super_scale() [32 rows][4 bytes].
#pragma once
#include <cstddef>

#include "cuda/quant_matmul/blocks.h"

namespace e4j::cuda {

inline constexpr int kUnitRows = 32;
inline constexpr int kUnitK = 64;

template <DType kTypeV>
struct PackedFormat {
  static constexpr DType kType = kTypeV;
  static constexpr bool kSuperScale = kType != DType::Q8_0;
  static constexpr bool kMinimum = kType == DType::Q4_K || kType == DType::Q5_K;
  static constexpr int kSlots = kType == DType::Q8_0 ? 4 : 2;
  static constexpr int kHighWords = kType == DType::Q5_K ? 2 : kType == DType::Q6_K ? 4 : 0;
  static constexpr uint32_t kHighAt = kSlots * 512;
  static constexpr uint32_t kScalesAt = kHighAt + kHighWords * 128;
  static constexpr uint32_t kUnitBytes = kScalesAt + 128;
  static constexpr uint32_t kSuperScaleBytes = kSuperScale ? 128 : 0;

  // Of a row of units: from its start to unit u and to that unit's super scales.
  E4J_HOST_DEVICE static int64_t unit_at(int u) {
    return static_cast<int64_t>(u) * kUnitBytes + (kSuperScale ? static_cast<int64_t>(u / 4 + 1) * kSuperScaleBytes : 0);
  }
  E4J_HOST_DEVICE static int64_t super_scale_at(int u) { return static_cast<int64_t>(u / 4) * (4 * kUnitBytes + kSuperScaleBytes); }
  E4J_HOST_DEVICE static int64_t row_of_units_bytes(int k) {
    const int units = (k + kUnitK - 1) / kUnitK;
    return static_cast<int64_t>(units) * kUnitBytes + static_cast<int64_t>(units / 4) * kSuperScaleBytes;
  }
};

// Calls body with the PackedFormat of a quantised type.
template <class Body>
auto with_format(DType type, Body&& body) {
  switch (type) {
    case DType::Q4_K: return body(PackedFormat<DType::Q4_K>{});
    case DType::Q5_K: return body(PackedFormat<DType::Q5_K>{});
    case DType::Q6_K: return body(PackedFormat<DType::Q6_K>{});
    default: return body(PackedFormat<DType::Q8_0>{});
  }
}

// Writes one lane's part of unit u of row of units r. rows [n][row_bytes]; packed: the whole matrix.
template <class Format>
E4J_HOST_DEVICE void pack_lane(const std::byte* rows, int64_t row_bytes, int n, int k, int r, int u, int lane, std::byte* packed) {
  constexpr DType type = Format::kType;
  std::byte* row_of_units = packed + r * Format::row_of_units_bytes(k);
  auto* unit = reinterpret_cast<uint32_t*>(row_of_units + Format::unit_at(u));
  uint32_t codes[Format::kSlots * 4] = {}, high[4] = {};
  for (int j = 0; j < 4; ++j) {
    const int row = r * kUnitRows + 8 * j + lane / 4;
    for (int h = 0; h < 2; ++h)
      for (int i = 0; i < 8; ++i) {
        const int column = u * kUnitK + 32 * h + 8 * (lane % 4) + i;
        const int stored = row < n && column < k ? stored_code(type, rows + row * row_bytes, column) : 0;
        const auto code = static_cast<uint32_t>(stored + (type == DType::Q6_K ? 32 : 0)) & 0xff;
        if constexpr (type == DType::Q8_0) {
          codes[4 * j + 2 * h + i / 4] |= code << (8 * (i % 4));
        } else {
          codes[2 * j + h] |= (code & 15) << (8 * (i % 4) + i / 4 * 4);
          if (type == DType::Q5_K) high[h] |= (code >> 4) << (8 * (i % 4) + 2 * j + i / 4);
          if (type == DType::Q6_K) high[2 * h + j / 2] |= (code >> 4) << (8 * (i % 4) + 2 * (2 * (j % 2) + i / 4));
        }
      }
  }
  for (int w = 0; w < Format::kSlots * 4; ++w) unit[(w / 4 * 32 + lane) * 4 + w % 4] = codes[w];
  for (int w = 0; w < Format::kHighWords; ++w) unit[Format::kHighAt / 4 + (Format::kHighWords == 4 ? lane * 4 + w : w * 32 + lane)] = high[w];
  const int row = r * kUnitRows + lane;
  unit[Format::kScalesAt / 4 + lane] = row < n ? stored_scales(type, rows + row * row_bytes, u * kUnitK, k) : 0;
  if (Format::kSuperScale && u % 4 == 0)
    reinterpret_cast<uint32_t*>(row_of_units + Format::super_scale_at(u))[lane] = row < n ? stored_super_scale(type, rows + row * row_bytes, u * kUnitK) : 0;
}

}  // namespace e4j::cuda
