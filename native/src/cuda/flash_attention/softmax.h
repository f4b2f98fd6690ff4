// The online softmax of the rows a thread has a part of: two of every 16-row tile. exp(x) is 2^(x log2 e), and log2 e is
// multiplied into the scale of the scores.
#pragma once
#include "cuda/flash_attention/traits.h"
#include "cuda/thread_block/primitives.h"

namespace e4j::cuda {

// A row lies in the four lanes of equal lane / 4.
E4J_DEVICE float row_max(float v) {
  v = maximum(v, shuffle_xor(v, 1));
  return maximum(v, shuffle_xor(v, 2));
}
E4J_DEVICE float row_sum(float v) {
  v += shuffle_xor(v, 1);
  return v + shuffle_xor(v, 2);
}

template <class Traits>
struct OnlineSoftmax {
  static constexpr int kRows = 2 * Traits::kTilesM;
  static constexpr float kNone = -__builtin_huge_valf();
  float max[kRows];  // of the scores so far, not scaled
  float sum[kRows];  // this lane's share of the row's sum

  E4J_DEVICE OnlineSoftmax() {
    E4J_UNROLL
    for (int r = 0; r < kRows; ++r) {
      max[r] = kNone;
      sum[r] = 0;
    }
  }

  // Row r: scores -> 2^((score - max) * scale), the maximum now including these; the sum is brought to the new maximum. Gives what
  // brings out to it.
  E4J_DEVICE float add_row(int r, float (&scores)[Traits::kTilesM][Traits::kTilesN][4], float scale) {
    const int m = r / 2, half = r % 2 * 2;
    float highest = max[r];
    E4J_UNROLL
    for (int n = 0; n < Traits::kTilesN; ++n) {
      highest = maximum(highest, maximum(scores[m][n][half], scores[m][n][half + 1]));
    }
    highest = row_max(highest);
    // A row that has seen no key yet: 0 keeps -inf - -inf away.
    const float reference = highest == kNone ? 0.0f : highest * scale;
    const float factor = exp2(max[r] * scale - reference);
    max[r] = highest;
    float total = sum[r] * factor;
    E4J_UNROLL
    for (int n = 0; n < Traits::kTilesN; ++n) {
      E4J_UNROLL
      for (int i = half; i < half + 2; ++i) {
        scores[m][n][i] = exp2(scores[m][n][i] * scale - reference);
        total += scores[m][n][i];
      }
    }
    sum[r] = total;
    return factor;
  }
  E4J_DEVICE static void scale_row(int r, float (&out)[Traits::kTilesM][Traits::kTilesD][4], float factor) {
    E4J_UNROLL
    for (int d = 0; d < Traits::kTilesD; ++d) {
      out[r / 2][d][r % 2 * 2] *= factor;
      out[r / 2][d][r % 2 * 2 + 1] *= factor;
    }
  }
  E4J_DEVICE void add(float (&scores)[Traits::kTilesM][Traits::kTilesN][4], float (&out)[Traits::kTilesM][Traits::kTilesD][4], float scale) {
    E4J_UNROLL
    for (int r = 0; r < kRows; ++r) scale_row(r, out, add_row(r, scores, scale));
  }

  // out -> out / sum
  E4J_DEVICE void finish(float (&out)[Traits::kTilesM][Traits::kTilesD][4]) {
    E4J_UNROLL
    for (int r = 0; r < kRows; ++r) scale_row(r, out, 1.0f / row_sum(sum[r]));
  }
};

}  // namespace e4j::cuda
