// AVX-VNNI: the VEX-encoded 256-bit VPDPBUSD of processors without AVX-512 (Intel from Alder Lake on, AMD from Zen 5 on). All else
// stays with the avx2 tier.
#include <immintrin.h>

#include "cpu/kernels.h"

namespace e4j::cpu::avx_vnni {

#include "cpu/gemm_quant.inl"
#include "cpu/dot_i8.inl"

namespace {

struct VnniDot {
  static constexpr int kLanes = 8;
  using Sum = __m256i;
  using Activations = __m256i;
  using Floats = __m256;
  struct Weights {
    __m256i value;
  };
  static Weights weights(const int8_t* q) noexcept { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(q))}; }
  static __m256i activations(const uint8_t* a) noexcept {
    int four;
    __builtin_memcpy(&four, a, 4);
    return _mm256_set1_epi32(four);
  }
  static void dot(__m256i& s, const Weights& w, __m256i a) noexcept { s = _mm256_dpbusd_avx_epi32(s, a, w.value); }
  static __m256i load(const int32_t* p) noexcept { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
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

void overlay(Kernels& k) noexcept {
  k.tier = "avx_vnni";
  k.gemm_quant = gemm_quant_tiled<VnniDot, 3, 1>;
  k.dot_i8 = dot_i8_tiled<VnniDot, 4, 1>;
}

}  // namespace e4j::cpu::avx_vnni
