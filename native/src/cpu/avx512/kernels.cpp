// AVX-512 F/BW/DQ/VL: 512-bit float products. 8-bit dots stay with the avx2 tier (there is no 512-bit sign instruction).
#include <immintrin.h>

#include "cpu/kernels.h"
#include "cpu/packed_matrix.h"

namespace e4j::cpu::avx512 {

#include "cpu/elementwise.inl"
#include "cpu/expand.inl"
#include "cpu/gemm_float.inl"

namespace {

struct Vector {
  static constexpr int kLanes = 16;
  __m512 v;
  static Vector zero() noexcept { return {_mm512_setzero_ps()}; }
  static Vector load(const float* p) noexcept { return {_mm512_loadu_ps(p)}; }
  static void store(float* p, Vector x) noexcept { _mm512_storeu_ps(p, x.v); }
};

struct F32Step {
  using Weight = float;
  using Activation = float;
  using Operand = __m512;
  static constexpr int kValues = 1;
  static __m512 weights(const float* w) noexcept { return _mm512_loadu_ps(w); }
  static __m512 broadcast(const float* a) noexcept { return _mm512_set1_ps(*a); }
  static void madd(Vector& s, __m512 w, __m512 a) noexcept { s.v = _mm512_fmadd_ps(a, w, s.v); }
};

struct F16Step : F32Step {
  using Weight = uint16_t;
  static __m512 weights(const uint16_t* w) noexcept {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w)));
  }
};

struct Pair {
  __m512 even, odd;
};
inline Pair split_pair(__m512i pairs) noexcept {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)),
          _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xFFFF0000u))))};
}
struct Bf16Step {
  using Weight = uint16_t;
  using Activation = uint16_t;
  using Operand = Pair;
  static constexpr int kValues = 2;
  static Pair weights(const uint16_t* w) noexcept { return split_pair(_mm512_loadu_si512(w)); }
  static Pair broadcast(const uint16_t* a) noexcept {
    int pair;
    __builtin_memcpy(&pair, a, 4);
    return split_pair(_mm512_set1_epi32(pair));
  }
  static void madd(Vector& s, const Pair& w, const Pair& a) noexcept {
    s.v = _mm512_fmadd_ps(a.even, w.even, s.v);
    s.v = _mm512_fmadd_ps(a.odd, w.odd, s.v);
  }
};

}  // namespace

void overlay(Kernels& k) noexcept {
  k.tier = "avx512";
  overlay_elementwise(k);
  overlay_expand(k);
  k.gemm_f32 = gemm_float<Vector, F32Step, 6, 4>;
  k.gemm_f16 = gemm_float<Vector, F16Step, 6, 4>;
  k.gemm_bf16 = gemm_float<Vector, Bf16Step, 5, 3>;
}

}  // namespace e4j::cpu::avx512
