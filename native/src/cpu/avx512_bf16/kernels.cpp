// AVX-512 BF16: VDPBF16PS, a pair of bf16 products into each 32-bit lane.
#include <immintrin.h>

#include "cpu/avx512/vector.h"
#include "cpu/kernels.h"

namespace e4j::cpu::avx512_bf16 {

#include "cpu/gemm_float.inl"

namespace {

struct DotStep {
  using Weight = uint16_t;
  using Activation = uint16_t;
  struct Operand {
    __m512bh value;
  };
  static constexpr int kValues = 2;
  static Operand weights(const uint16_t* w) noexcept { return {reinterpret_cast<__m512bh>(_mm512_loadu_si512(w))}; }
  static Operand broadcast(const uint16_t* a) noexcept {
    int pair;
    __builtin_memcpy(&pair, a, 4);
    return {reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair))};
  }
  static void madd(Vector512& s, const Operand& w, const Operand& a) noexcept { s.v = _mm512_dpbf16_ps(s.v, a.value, w.value); }
};

}  // namespace

void overlay(Kernels& k) noexcept {
  k.tier = "avx512_bf16";
  k.gemm_bf16 = gemm_float<Vector512, DotStep, 6, 4>;
}

}  // namespace e4j::cpu::avx512_bf16
