// What the 256-bit tiers share of a Dot policy (gemm_quant.inl, dot_i8.inl): its loads and its float half.
#pragma once
#include <immintrin.h>

#include <cstdint>

namespace e4j::cpu {
namespace {

struct Dot256 {
  static constexpr int kLanes = 8;
  using Sum = __m256i;
  using Floats = __m256;
  static __m256i load_bytes(const void* q) noexcept { return _mm256_loadu_si256(static_cast<const __m256i*>(q)); }
  static __m256i four_bytes(const void* a) noexcept {
    int four;
    __builtin_memcpy(&four, a, 4);
    return _mm256_set1_epi32(four);
  }
  static __m256i zero() noexcept { return _mm256_setzero_si256(); }
  static __m256 to_float(__m256i s) noexcept { return _mm256_cvtepi32_ps(s); }
  static __m256 zero_floats() noexcept { return _mm256_setzero_ps(); }
  static __m256 load_floats(const float* p) noexcept { return _mm256_loadu_ps(p); }
  static void store_floats(float* p, __m256 x) noexcept { _mm256_storeu_ps(p, x); }
  static __m256 broadcast(float x) noexcept { return _mm256_set1_ps(x); }
  static __m256 mul(__m256 a, __m256 b) noexcept { return _mm256_mul_ps(a, b); }
  static __m256 fma(__m256 a, __m256 b, __m256 c) noexcept { return _mm256_fmadd_ps(a, b, c); }
  static __m256 fnma(__m256 a, __m256 b, __m256 c) noexcept { return _mm256_fnmadd_ps(a, b, c); }
};

}  // namespace
}  // namespace e4j::cpu
