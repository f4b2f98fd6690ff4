// Q6_K: 16 sub-blocks of 16 values, value = d * scale * (code - 32) with an 8-bit scale.
// Per sub-block: try 19 scales around extreme / -32, refit each by least squares (weight = the value's square) and keep
// the one that explains most. The search of ggml's quantize_row_q6_K_ref, sum for sum, so files compare equal.
#include <cstring>

#include "tensor/convert.h"
#include "tensor/dtype.h"
#include "tensor/formats.h"
#include "tensor/lanes.h"

namespace e4j {
namespace {

constexpr int kSubBlock = 16;
constexpr int kSubBlocks = kQKBlock / kSubBlock;
constexpr float kAllZero = 1e-15f;  // largest magnitude, and scale, that count as nothing

// Four sub-blocks each; code = nearest(steps * x), -32 .. 31.
struct Fit {
  Lanes scale, steps;  // steps 0: all zero
};

Lanes signed_code(Lanes x, Lanes steps) { return clamped(nearest(steps * x), -32, 31); }

Fit fit_sub_blocks(const Lanes* x) {
  const Lanes zero = lanes_of(0), one = lanes_of(1);
  Lanes most = zero, extreme = zero, weight[kSubBlock];
  for (int i = 0; i < kSubBlock; ++i) {
    const LaneMask larger = magnitude(x[i]) > most;
    most = larger ? magnitude(x[i]) : most;
    extreme = larger ? x[i] : extreme;
    weight[i] = x[i] * x[i];
  }
  const LaneMask empty = most < lanes_of(kAllZero);
  extreme = empty ? one : extreme;

  Fit best{zero, zero};
  Lanes best_gain = -one;  // below any: the first trial always counts
  for (int trial = 0; trial < 19; ++trial) {
    const int shift = trial == 0 ? 0 : trial <= 9 ? trial - 10 : trial - 9;  // 0, -9 .. -1, 1 .. 9
    const Lanes steps = -(32.0f + 0.1f * static_cast<float>(shift)) / extreme;
    Lanes sum_lx = zero, sum_l2 = zero;
    for (int i = 0; i < kSubBlock; ++i) {
      const Lanes code = signed_code(x[i], steps);
      sum_lx += weight[i] * x[i] * code;
      sum_l2 += weight[i] * code * code;
    }
    const LaneMask positive = sum_l2 > zero;
    const Lanes scale = sum_lx / (positive ? sum_l2 : one);
    const LaneMask better = positive & (sum_lx * sum_lx > best_gain * sum_l2);
    best_gain = better ? scale * sum_lx : best_gain;
    best.scale = better ? scale : best.scale;
    best.steps = better ? steps : best.steps;
  }
  best.scale = empty ? zero : best.scale;
  best.steps = empty ? zero : best.steps;
  return best;
}

// codes [256] of 6 bits. Each half of 128: four runs of 32; the low nibbles of runs 0 and 2 share bytes 0-31 of ql, of
// runs 1 and 3 bytes 32-63; the high bits of all four share a byte of qh.
void pack_codes(const uint8_t* codes, BlockQ6_K& block) {
  for (int half = 0; half < 2; ++half, codes += 128) {
    uint8_t* ql = block.ql + 64 * half;
    uint8_t* qh = block.qh + 32 * half;
    for (int i = 0; i < 32; ++i) {
      const int a = codes[i], b = codes[i + 32], c = codes[i + 64], d = codes[i + 96];
      ql[i] = static_cast<uint8_t>((a & 15) | (c & 15) << 4);
      ql[i + 32] = static_cast<uint8_t>((b & 15) | (d & 15) << 4);
      qh[i] = static_cast<uint8_t>(a >> 4 | b >> 4 << 2 | c >> 4 << 4 | d >> 4 << 6);
    }
  }
}

// src [256]; false when the scale does not fit f16.
bool quantize_block(const float* src, BlockQ6_K& block) {
  float scales[kSubBlocks], steps[kSubBlocks];
  for (int first = 0; first < kSubBlocks; first += kLanes) {
    Lanes x[kSubBlock];
    for (int i = 0; i < kSubBlock; ++i) x[i] = gather(src + first * kSubBlock + i, kSubBlock);
    const Fit fit = fit_sub_blocks(x);
    std::memcpy(scales + first, &fit.scale, sizeof fit.scale);
    std::memcpy(steps + first, &fit.steps, sizeof fit.steps);
  }
  float most = 0, extreme = 0;
  for (const float scale : scales) {
    const float size = scale < 0 ? -scale : scale;
    if (size > most) {
      most = size;
      extreme = scale;
    }
  }
  if (most < kAllZero) {
    std::memset(&block, 0, sizeof block);
    return true;
  }

  const float per_scale = -128.0f / extreme;
  block.d = f32_to_f16(1.0f / per_scale);
  if ((block.d & 0x7c00u) == 0x7c00u) return false;
  const float d = f16_to_f32(block.d);
  uint8_t codes[kQKBlock];
  for (int j = 0; j < kSubBlocks; ++j) {
    block.scales[j] = static_cast<int8_t>(clamped(nearest(lanes_of(per_scale * scales[j])), -128, 127)[0]);
    // Codes once more, against the scale as stored. A stored scale of 0 makes the code irrelevant: the search's stays.
    const float scale = d * static_cast<float>(block.scales[j]);
    const float offset = scale != 0 || steps[j] != 0 ? 32.0f : 0.0f;
    for (int i = j * kSubBlock; i < (j + 1) * kSubBlock; i += kLanes) {
      Lanes x;
      std::memcpy(&x, src + i, sizeof x);
      const Lanes code = clamped(nearest(scale != 0 ? x / scale : steps[j] * x), -32, 31) + offset;
      for (int lane = 0; lane < kLanes; ++lane) codes[i + lane] = static_cast<uint8_t>(code[lane]);
    }
  }
  pack_codes(codes, block);
  return true;
}

}  // namespace

bool quantize_q6_k(const float* src, int64_t cols, void* dst) noexcept {
  auto* out = static_cast<unsigned char*>(dst);
  for (int64_t c = 0; c < cols; c += kQKBlock, src += kQKBlock, out += sizeof(BlockQ6_K)) {
    BlockQ6_K block;
    if (!quantize_block(src, block)) return false;
    std::memcpy(out, &block, sizeof block);
  }
  return true;
}

void dequantize_q6_k(const void* src, int64_t cols, float* dst) noexcept {
  const auto* in = static_cast<const unsigned char*>(src);
  for (int64_t c = 0; c < cols; c += kQKBlock, in += sizeof(BlockQ6_K)) {
    BlockQ6_K block;
    std::memcpy(&block, in, sizeof block);
    const float d = f16_to_f32(block.d);
    for (int run = 0; run < 8; ++run, dst += 32) {
      const int half = run / 4, place = run % 4;
      const uint8_t* ql = block.ql + 64 * half + 32 * (place % 2);
      const uint8_t* qh = block.qh + 32 * half;
      int codes[32];
      for (int i = 0; i < 32; ++i) codes[i] = ((ql[i] >> 4 * (place / 2) & 15) | (qh[i] >> 2 * place & 3) << 4) - 32;
      for (int sub = 0; sub < 2; ++sub) {
        const float scale = d * static_cast<float>(block.scales[2 * run + sub]);
        for (int i = 16 * sub; i < 16 * (sub + 1); ++i) dst[i] = scale * static_cast<float>(codes[i]);
      }
    }
  }
}

}  // namespace e4j
