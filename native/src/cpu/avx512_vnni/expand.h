// Packed panels -> ExpandedPanel with 512-bit vectors; the plain form is cpu/expand.inl. One vector holds the 16 rows of a
// panel times four values of K.
#pragma once
#include <immintrin.h>

#include "cpu/kernels.h"

namespace e4j::cpu::avx512_vnni {
namespace {

inline __m512 halves(const std::byte* p) noexcept { return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
inline __m512 bytes_unsigned(const std::byte* p) noexcept {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
inline __m512 bytes_signed(const std::byte* p) noexcept {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}

void expand_q8_0(const std::byte* packed, int blocks, ExpandedPanel* out) noexcept {
  for (int b = 0; b < blocks; ++b) _mm512_store_ps(out->scale[b], halves(packed + 32 * b));
}

inline void k_scales(const std::byte* packed, ExpandedPanel* out) noexcept {
  const __m512 d = halves(packed), dmin = halves(packed + 32);
  for (int g = 0; g < 8; ++g) {
    _mm512_store_ps(out->scale[g], _mm512_mul_ps(d, bytes_unsigned(packed + 64 + g * kPanelRows)));
    _mm512_store_ps(out->min[g], _mm512_mul_ps(dmin, bytes_unsigned(packed + 64 + (g + 8) * kPanelRows)));
  }
}

// Vector v of 32 nibble pairs: the low nibbles are vector v of q, the high ones vector v + 32.
inline void nibbles(const std::byte* packed, int v, __m512i* low, __m512i* high) noexcept {
  const __m512i pairs = _mm512_loadu_si512(packed + v * 64), mask = _mm512_set1_epi8(15);
  *low = _mm512_and_si512(pairs, mask);
  *high = _mm512_and_si512(_mm512_srli_epi16(pairs, 4), mask);
}

void expand_q4_k(const std::byte* packed, int, ExpandedPanel* out) noexcept {
  k_scales(packed, out);
  uint8_t* q = &out->q[0][0][0];
  for (int v = 0; v < 32; ++v) {
    __m512i low, high;
    nibbles(packed + 320, v, &low, &high);
    _mm512_store_si512(q + v * 64, low);
    _mm512_store_si512(q + (v + 32) * 64, high);
  }
}

void expand_q5_k(const std::byte* packed, int, ExpandedPanel* out) noexcept {
  k_scales(packed, out);
  uint8_t* q = &out->q[0][0][0];
  const std::byte* fifth = packed + 320 + 2048;
  const __m512i sixteen = _mm512_set1_epi8(16);
  for (int v = 0; v < 32; ++v) {
    __m512i low, high;
    nibbles(packed + 320, v, &low, &high);
    // Bit v % 8 of vector v / 8, and the same bit four vectors on for the high half.
    const __m512i bit = _mm512_set1_epi8(static_cast<char>(1 << (v % 8)));
    const __mmask64 low_bits = _mm512_test_epi8_mask(_mm512_loadu_si512(fifth + v / 8 * 64), bit);
    const __mmask64 high_bits = _mm512_test_epi8_mask(_mm512_loadu_si512(fifth + (v / 8 + 4) * 64), bit);
    _mm512_store_si512(q + v * 64, _mm512_or_si512(low, _mm512_maskz_mov_epi8(low_bits, sixteen)));
    _mm512_store_si512(q + (v + 32) * 64, _mm512_or_si512(high, _mm512_maskz_mov_epi8(high_bits, sixteen)));
  }
}

void expand_q6_k(const std::byte* packed, int, ExpandedPanel* out) noexcept {
  const __m512 d = halves(packed);
  for (int g = 0; g < 16; ++g) _mm512_store_ps(out->scale[g], _mm512_mul_ps(d, bytes_signed(packed + 32 + g * kPanelRows)));
  uint8_t* q = &out->q[0][0][0];
  const std::byte* bits = packed + 288 + 2048;
  const __m512i mask = _mm512_set1_epi8(0x30), bias = _mm512_set1_epi8(128 - 32);
  for (int v = 0; v < 32; ++v) {
    __m512i low, high;
    nibbles(packed + 288, v, &low, &high);
    // Bits 2 (v % 4) of vector v / 4, moved to bits 4 and 5; eight vectors on for the high half.
    const __m128i by = _mm_cvtsi32_si128(2 * (v % 4));
    const auto pair = [&](int at) {
      const __m512i wide = _mm512_srl_epi16(_mm512_loadu_si512(bits + at * 64), by);
      return _mm512_and_si512(_mm512_slli_epi16(wide, 4), mask);
    };
    _mm512_store_si512(q + v * 64, _mm512_add_epi8(_mm512_or_si512(low, pair(v / 4)), bias));
    _mm512_store_si512(q + (v + 32) * 64, _mm512_add_epi8(_mm512_or_si512(high, pair(v / 4 + 8)), bias));
  }
}

}  // namespace
}  // namespace e4j::cpu::avx512_vnni
