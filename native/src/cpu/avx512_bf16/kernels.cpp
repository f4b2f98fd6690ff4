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

// The instruction takes subnormal values for zero: below 1.2e-38, which no activation that matters is.
void to_bf16(const float* x, int n, uint16_t* y) noexcept {
  int i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_loadu_ps(x + i));
    __builtin_memcpy(y + i, &rounded, sizeof rounded);
  }
  if (i == n) return;
  const __mmask16 rest = static_cast<__mmask16>((1u << (n - i)) - 1);
  const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(rest, x + i));
  _mm256_mask_storeu_epi16(y + i, rest, reinterpret_cast<const __m256i&>(rounded));
}

}  // namespace

void overlay(Kernels& k) noexcept {
  k.tier = "avx512_bf16";
  k.to_bf16 = to_bf16;
  k.gemm_bf16 = gemm_float<Vector512, DotStep, 6, 4>;
}

}  // namespace e4j::cpu::avx512_bf16
