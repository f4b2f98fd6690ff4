// Rows of 8-bit activations with 512-bit vectors; the plain form, whose results these are bit for bit, is cpu/elementwise.inl.
#pragma once
#include <immintrin.h>

#include "cpu/avx512/horizontal.h"
#include "cpu/kernels.h"

namespace e4j::cpu::avx512 {
namespace {

// Sum of the 16 bytes of x + 128, less what that adds.
inline int32_t total(__m128i x) noexcept {
  const __m128i biased = _mm_xor_si128(x, _mm_set1_epi8(static_cast<char>(0x80)));
  const __m128i halves = _mm_sad_epu8(biased, _mm_setzero_si128());
  return _mm_cvtsi128_si32(halves) + _mm_extract_epi32(halves, 2) - 16 * 128;
}

void quantize_row_512(const float* x, int n, const QuantRow& out) noexcept {
  constexpr int kNotFinite = 0x01 | 0x08 | 0x10 | 0x80;  // quiet NaN, +inf, -inf, signalling NaN
  for (int b = 0; b < n / kQuantBlock; ++b, x += kQuantBlock) {
    const __m512 lo = _mm512_loadu_ps(x), hi = _mm512_loadu_ps(x + 16);
    const bool finite = (_mm512_fpclass_ps_mask(lo, kNotFinite) | _mm512_fpclass_ps_mask(hi, kNotFinite)) == 0;
    const float amax = largest(_mm512_max_ps(_mm512_abs_ps(lo), _mm512_abs_ps(hi)));
    const bool some = amax > 1e-30f;
    const __m512 inverse = _mm512_set1_ps(some ? 127.0f / amax : 0.0f);
    const __m128i first = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(lo, inverse)));
    const __m128i second = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(hi, inverse)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out.q + b * kQuantBlock), first);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out.q + b * kQuantBlock + 16), second);
    const int32_t first_total = total(first), second_total = total(second);
    out.scale[b] = !finite ? __builtin_nanf("") : some ? amax / 127.0f : 0.0f;
    out.sum[b] = out.scale[b] * static_cast<float>(first_total + second_total);
    out.offset[b] = -128 * (first_total + second_total);
    out.half_offset[2 * b] = -128 * first_total;
    out.half_offset[2 * b + 1] = -128 * second_total;
  }
}

}  // namespace
}  // namespace e4j::cpu::avx512
