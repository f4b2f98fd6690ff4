// Per sub-block: try scales around range / max_code; for each, round the values to codes, refit scale and minimum by
// weighted least squares (weight = root mean square + own magnitude) and keep the fit with the least weighted error.
// The range starts at the minimum of the best fit so far, not at the least value.
// This is the search of ggml's quantize_row_q4_K_ref and quantize_row_q5_K_ref, sum for sum, so files compare equal.
#include "tensor/affine_blocks.h"

#include <cmath>
#include <cstring>

#include "tensor/convert.h"
#include "tensor/dtype.h"
#include "tensor/lanes.h"

namespace e4j {
namespace {

constexpr int kSubBlock = 32;
constexpr int kSubBlocks = kQKBlock / kSubBlock;

// The fit of four sub-blocks: x is about scale * code + min with code = nearest(steps * (x - origin)).
struct Fit {
  Lanes scale, min;  // min <= 0
  Lanes steps, origin;
};

Lanes weighted_error(const Lanes* x, const Lanes* weight, const Lanes* code, Lanes scale, Lanes min) {
  Lanes sum = lanes_of(0);
  for (int i = 0; i < kSubBlock; ++i) {
    const Lanes difference = scale * code[i] + min - x[i];
    sum += weight[i] * (difference * difference);
  }
  return sum;
}

// x [32] of four sub-blocks each.
Fit fit_sub_blocks(const Lanes* x, const AffineSearch& search) {
  const Lanes zero = lanes_of(0);
  const float max_code = static_cast<float>(search.max_code);
  Lanes weight[kSubBlock], code[kSubBlock];

  Lanes squares = zero;
  for (int i = 0; i < kSubBlock; ++i) squares += x[i] * x[i];
  Lanes rms;
  for (int lane = 0; lane < kLanes; ++lane) rms[lane] = std::sqrt(squares[lane] / kSubBlock);

  Lanes low = x[0], high = x[0], sum_w = zero, sum_x = zero;
  for (int i = 0; i < kSubBlock; ++i) {
    weight[i] = rms + magnitude(x[i]);
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
    sum_w += weight[i];
    sum_x += weight[i] * x[i];
  }
  low = low > zero ? zero : low;
  const LaneMask flat = high == low;
  high = flat ? low + 1.0f : high;

  Fit best;
  best.min = best.origin = low;
  best.steps = max_code / (high - low);
  best.scale = 1.0f / best.steps;
  for (int i = 0; i < kSubBlock; ++i) code[i] = clamped(nearest(best.steps * (x[i] - low)), 0, max_code);
  Lanes best_error = weighted_error(x, weight, code, best.scale, best.min);

  for (int trial = 0; trial <= search.trials; ++trial) {
    const Lanes origin = best.min;
    const Lanes steps = (search.first_shift + 0.1f * static_cast<float>(trial) + max_code) / (high - origin);
    Lanes sum_l = zero, sum_l2 = zero, sum_xl = zero;
    for (int i = 0; i < kSubBlock; ++i) {
      code[i] = clamped(nearest(steps * (x[i] - origin)), 0, max_code);
      const Lanes wl = weight[i] * code[i];
      sum_l += wl;
      sum_l2 += wl * code[i];
      sum_xl += wl * x[i];
    }
    const Lanes determinant = sum_w * sum_l2 - sum_l * sum_l;
    const LaneMask solvable = determinant > zero;
    const Lanes divisor = solvable ? determinant : lanes_of(1);
    Lanes scale = (sum_w * sum_xl - sum_x * sum_l) / divisor;
    Lanes min = (sum_l2 * sum_x - sum_l * sum_xl) / divisor;
    const LaneMask positive = (min > zero) & solvable;  // a minimum is stored as how far below zero it lies
    scale = positive ? sum_xl / (positive ? sum_l2 : lanes_of(1)) : scale;
    min = positive ? zero : min;
    const Lanes error = weighted_error(x, weight, code, scale, min);
    const LaneMask better = (error < best_error) & solvable;
    best_error = better ? error : best_error;
    best.scale = better ? scale : best.scale;
    best.min = better ? min : best.min;
    best.steps = better ? steps : best.steps;
    best.origin = better ? origin : best.origin;
  }
  best.scale = flat ? zero : best.scale;
  return best;
}

void pack_scale(uint8_t* scales, int j, int scale, int min) {
  if (j < 4) {
    scales[j] = static_cast<uint8_t>(scale);
    scales[j + 4] = static_cast<uint8_t>(min);
    return;
  }
  scales[j + 4] = static_cast<uint8_t>((scale & 15) | (min & 15) << 4);
  scales[j - 4] = static_cast<uint8_t>(scales[j - 4] | scale >> 4 << 6);
  scales[j] = static_cast<uint8_t>(scales[j] | min >> 4 << 6);
}

float largest(const float* v) {
  float most = 0;
  for (int j = 0; j < kSubBlocks; ++j) most = v[j] > most ? v[j] : most;
  return most;
}

int six_bits(float v) { return static_cast<int>(clamped(nearest(lanes_of(v)), 0, 63)[0]); }

}  // namespace

bool quantize_affine(const float* src, const AffineSearch& search, AffineBlock& out) noexcept {
  float scales[kSubBlocks], mins[kSubBlocks], origin[kSubBlocks], steps[kSubBlocks];
  for (int first = 0; first < kSubBlocks; first += kLanes) {
    Lanes x[kSubBlock];
    for (int i = 0; i < kSubBlock; ++i) x[i] = gather(src + first * kSubBlock + i, kSubBlock);
    const Fit fit = fit_sub_blocks(x, search);
    const Lanes depth = -fit.min;
    std::memcpy(scales + first, &fit.scale, sizeof fit.scale);
    std::memcpy(mins + first, &depth, sizeof depth);
    std::memcpy(origin + first, &fit.origin, sizeof fit.origin);
    std::memcpy(steps + first, &fit.steps, sizeof fit.steps);
  }

  const float max_scale = largest(scales), max_min = largest(mins);
  const float per_scale = max_scale > 0 ? 63.0f / max_scale : 0.0f;
  const float per_min = max_min > 0 ? 63.0f / max_min : 0.0f;
  for (int j = 0; j < kSubBlocks; ++j)
    pack_scale(out.scales, j, six_bits(per_scale * scales[j]), six_bits(per_min * mins[j]));
  out.d = f32_to_f16(max_scale / 63.0f);
  out.dmin = f32_to_f16(max_min / 63.0f);
  if ((out.d & 0x7c00u) == 0x7c00u || (out.dmin & 0x7c00u) == 0x7c00u) return false;

  // Codes once more, against the scales as stored. A stored scale of 0 makes the code irrelevant: the search's stays.
  const float d = f16_to_f32(out.d), dmin = f16_to_f32(out.dmin);
  for (int j = 0; j < kSubBlocks; ++j) {
    const SubBlockScale stored = unpack_scale(out.scales, j);
    const float scale = d * static_cast<float>(stored.scale), min = dmin * static_cast<float>(stored.min);
    for (int i = j * kSubBlock; i < (j + 1) * kSubBlock; i += kLanes) {
      Lanes x;
      std::memcpy(&x, src + i, sizeof x);
      const Lanes exact = scale != 0 ? (x + min) / scale : steps[j] * (x - origin[j]);
      const Lanes code = clamped(nearest(exact), 0, static_cast<float>(search.max_code));
      for (int lane = 0; lane < kLanes; ++lane) out.codes[i + lane] = static_cast<uint8_t>(code[lane]);
    }
  }
  return true;
}

}  // namespace e4j
