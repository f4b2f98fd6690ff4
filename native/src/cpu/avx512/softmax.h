// A row of attention scores with 512-bit vectors; the plain form is cpu/elementwise.inl.
#pragma once
#include <immintrin.h>

#include "cpu/avx512/horizontal.h"

namespace e4j::cpu::avx512 {
namespace {

// exp(x) for x in [-87, 88], relative error below 4e-7: 2^n times a polynomial on [-1/2, 1/2] (minimax, relative error 8e-8).
inline __m512 exp_512(__m512 x) noexcept {
  const __m512 t = _mm512_mul_ps(_mm512_max_ps(_mm512_set1_ps(-87.0f), x), _mm512_set1_ps(1.44269504088896341f));  // NaN stays
  const __m512 n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 f = _mm512_sub_ps(t, n);
  __m512 p = _mm512_set1_ps(1.327647245e-3f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.675541893e-3f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.550713092e-2f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.402212024e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.931469440e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, n);
}

// The first `left` lanes, all of them from 16 on, none below 1.
inline __mmask16 first_lanes(int left) noexcept {
  return left >= 16 ? static_cast<__mmask16>(0xFFFF) : static_cast<__mmask16>((1u << (left > 0 ? left : 0)) - 1);
}

float softmax_block_512(float* scores, int n, int valid, float softmax_scale, float* max, float* sum) noexcept {
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
  __m512 largest_here = lowest;
  for (int i = 0; i < valid; i += 16)
    largest_here = _mm512_max_ps(largest_here, _mm512_mask_loadu_ps(lowest, first_lanes(valid - i), scores + i));
  const float before = *max, block_max = largest(largest_here) * softmax_scale, now = block_max > before ? block_max : before;
  if (valid <= 0) {
    for (int i = 0; i < n; ++i) scores[i] = 0.0f;
    return 1.0f;
  }
  const __m512 scale = _mm512_set1_ps(softmax_scale), shift = _mm512_set1_ps(now);
  __m512 total = _mm512_setzero_ps();
  for (int i = 0; i < n; i += 16) {  // n is a multiple of the lanes but in tests
    const __mmask16 here = first_lanes(valid - i);
    const __m512 x = _mm512_maskz_loadu_ps(here, scores + i);
    const __m512 e = _mm512_maskz_mov_ps(here, exp_512(_mm512_fmsub_ps(x, scale, shift)));
    _mm512_mask_storeu_ps(scores + i, first_lanes(n - i), e);
    total = _mm512_add_ps(total, e);
  }
  // Nothing was summed before the first block: its maximum is -inf and the factor 0.
  const float factor =
      before == -__builtin_inff() ? 0.0f : _mm512_cvtss_f32(exp_512(_mm512_set1_ps(before - now)));
  *sum = *sum * factor + sum_of(total);
  *max = now;
  return factor;
}

}  // namespace
}  // namespace e4j::cpu::avx512
