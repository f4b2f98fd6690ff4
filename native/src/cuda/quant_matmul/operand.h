// From a lane's packed bytes to the operands of mma: pairs of bf16, rounded as launch_expand rounds.
#pragma once
#include "cuda/quant_matmul/traits.h"
#include "cuda/thread_block/primitives.h"

namespace e4j::cuda {

// The eight codes of rows j and half h of a lane's unit, four to a word: first values 0 .. 3, then 4 .. 7. As unsigned bytes:
// q8_0's are 128 too large, q6_k's 32.
struct Codes {
  uint32_t first, second;
};
template <class Format>
E4J_HOST_DEVICE Codes lane_codes(const uint32_t (&codes)[Format::kSlots * 4], const uint32_t (&high)[4], int j, int h) {
  if constexpr (Format::kType == DType::Q8_0) {
    return {codes[4 * j + 2 * h] ^ 0x80808080u, codes[4 * j + 2 * h + 1] ^ 0x80808080u};
  } else {
    const uint32_t low = codes[2 * j + h];
    Codes all{low & 0x0f0f0f0fu, low >> 4 & 0x0f0f0f0fu};
    if constexpr (Format::kType == DType::Q5_K) {
      const uint32_t bits = high[h] >> (2 * j);
      all.first |= (bits & 0x01010101u) << 4;
      all.second |= (bits >> 1 & 0x01010101u) << 4;
    }
    if constexpr (Format::kType == DType::Q6_K) {
      const uint32_t bits = high[2 * h + j / 2] >> (4 * (j % 2));
      all.first |= (bits & 0x03030303u) << 4;
      all.second |= (bits >> 2 & 0x03030303u) << 4;
    }
    return all;
  }
}

// b[0], b[1]: the operands of the first product, b[2], b[3] of the second.
template <class Format>
E4J_DEVICE void dequantise(Codes codes, GroupScale group, uint32_t (&b)[4]) {
  constexpr float kOffset = Format::kType == DType::Q8_0 ? 128.0f : Format::kType == DType::Q6_K ? 32.0f : 0.0f;
  E4J_UNROLL
  for (int w = 0; w < 4; ++w) {
    const uint32_t word = w < 2 ? codes.first : codes.second;
    float low = byte_to_float(word, w % 2 * 2) - kOffset, high = byte_to_float(word, w % 2 * 2 + 1) - kOffset;
    low = group.scale * low - group.min;
    high = group.scale * high - group.min;
    b[w] = pack_bf16(low, high);
  }
}

E4J_DEVICE uint32_t lane_bytes(int each) { return static_cast<uint32_t>(lane() * each); }

// A lane's part of a unit, out of shared memory. operands(j, h, b): of rows j and half h, as dequantise gives them.
template <class Format>
class LaneUnit {
 public:
  E4J_DEVICE explicit LaneUnit(uint32_t at) {
    E4J_UNROLL
    for (int slot = 0; slot < Format::kSlots; ++slot) put(load_shared_16(at + static_cast<uint32_t>(slot) * 512 + lane_bytes(16)), codes_ + 4 * slot);
    if constexpr (Format::kHighWords == 4) put(load_shared_16(at + Format::kHighAt + lane_bytes(16)), high_);
    E4J_UNROLL
    for (int i = 0; i < Format::kHighWords % 4; ++i) high_[i] = load_shared_4(at + Format::kHighAt + static_cast<uint32_t>(i) * 128 + lane_bytes(4));
    E4J_UNROLL
    for (int j = 0; j < 4; ++j) {
      const uint32_t row = static_cast<uint32_t>(8 * j + lane() / 4) * 4;
      scales_[j] = load_shared_4(at + Format::kScalesAt + row);
      super_scales_[j] = Format::kSuperScale ? load_shared_4(at + Format::kUnitBytes + row) : 0;
    }
  }
  E4J_DEVICE void operands(int j, int h, uint32_t (&b)[4]) const {
    const GroupScale group = group_scale(Format::kType, scales_[j], super_scales_[j], 32 * h + lane() % 4 * 8);
    dequantise<Format>(lane_codes<Format>(codes_, high_, j, h), group, b);
  }

 private:
  E4J_DEVICE static void put(const Words4& words, uint32_t* to) {
    E4J_UNROLL
    for (int i = 0; i < 4; ++i) to[i] = words.w[i];
  }

  uint32_t codes_[Format::kSlots * 4], high_[4] = {}, scales_[4], super_scales_[4];
};

// bf16 weights are operands already.
template <>
class LaneUnit<RowFormat> {
 public:
  E4J_DEVICE explicit LaneUnit(uint32_t at) : at_(at) {}
  E4J_DEVICE void operands(int j, int h, uint32_t (&b)[4]) const {
    const Words4 words = load_shared_16(at_ + static_cast<uint32_t>(2 * j + h) * 512 + lane_bytes(16));
    E4J_UNROLL
    for (int i = 0; i < 4; ++i) b[i] = words.w[i];
  }

 private:
  uint32_t at_;
};

}  // namespace e4j::cuda
