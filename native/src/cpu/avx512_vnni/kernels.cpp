// AVX-512 VNNI: VPDPBUSD, four u8 x s8 products into each 32-bit lane.
#include <immintrin.h>

#include "cpu/avx512_vnni/expand.h"
#include "cpu/kernels.h"

namespace e4j::cpu::avx512_vnni {

#include "cpu/gemm_quant.inl"
#include "cpu/dot_i8.inl"

namespace {

struct Dot512 {
  static constexpr int kLanes = 16;
  using Sum = __m512i;
  using Activations = __m512i;
  using Floats = __m512;
  struct Weights {
    __m512i value;
  };
  static __m512i four_bytes(const void* a) noexcept {
    int four;
    __builtin_memcpy(&four, a, 4);
    return _mm512_set1_epi32(four);
  }
  // As _mm512_cvtepi32_ps, of whose undefined operand GCC 12 warns (GCC PR 105593).
  static __m512 to_float(__m512i s) noexcept {
    return __builtin_convertvector(reinterpret_cast<__v16si>(s), __v16sf);
  }
  static __m512 zero_floats() noexcept { return _mm512_setzero_ps(); }
  static __m512 load_floats(const float* p) noexcept { return _mm512_loadu_ps(p); }
  static void store_floats(float* p, __m512 x) noexcept { _mm512_storeu_ps(p, x); }
  static __m512 broadcast(float x) noexcept { return _mm512_set1_ps(x); }
  static __m512 mul(__m512 a, __m512 b) noexcept { return _mm512_mul_ps(a, b); }
  static __m512 fma(__m512 a, __m512 b, __m512 c) noexcept { return _mm512_fmadd_ps(a, b, c); }
  static __m512 fnma(__m512 a, __m512 b, __m512 c) noexcept { return _mm512_fnmadd_ps(a, b, c); }
};

// VPDPBUSD takes its unsigned bytes from the weights.
struct BlockDot : Dot512 {
  template <bool>
  static Weights weights(const uint8_t* q) noexcept { return {_mm512_loadu_si512(q)}; }
  static __m512i activations(const int8_t* a) noexcept { return four_bytes(a); }
  static __m512i start(const int32_t* offset) noexcept { return _mm512_set1_epi32(*offset); }
  static __m512i zero() noexcept { return _mm512_setzero_si512(); }
  template <bool>
  static void dot(__m512i& s, const Weights& w, __m512i a) noexcept { s = _mm512_dpbusd_epi32(s, w.value, a); }
};

// And here from the activations.
struct ByteDot : Dot512 {
  static Weights weights(const int8_t* q) noexcept { return {_mm512_loadu_si512(q)}; }
  static __m512i activations(const uint8_t* a) noexcept { return four_bytes(a); }
  static __m512i load(const int32_t* p) noexcept { return _mm512_loadu_si512(p); }
  static void dot(__m512i& s, const Weights& w, __m512i a) noexcept { s = _mm512_dpbusd_epi32(s, a, w.value); }
};

}  // namespace

void overlay(Kernels& k) noexcept {
  k.tier = "avx512_vnni";
  k.gemm_quant = gemm_quant_tiled<BlockDot, 4, 2>;
  k.expand_q8_0 = expand_q8_0;
  k.expand_q4_k = expand_q4_k;
  k.expand_q5_k = expand_q5_k;
  k.expand_q6_k = expand_q6_k;
  k.dot_i8 = dot_i8_tiled<ByteDot, 6, 4>;
}

}  // namespace e4j::cpu::avx512_vnni
