// AVX-512 F/BW/DQ/VL: 512-bit float products. 8-bit dots stay with the avx2 tier (there is no 512-bit sign instruction).
#include <immintrin.h>

#include "cpu/avx512/quantize.h"
#include "cpu/avx512/softmax.h"
#include "cpu/avx512/vector.h"
#include "cpu/kernels.h"

namespace e4j::cpu::avx512 {

#include "cpu/elementwise.inl"
#include "cpu/expand.inl"
#include "cpu/gemm_float.inl"
constexpr int kLanes = 16;
#include "cpu/maxsim.inl"

namespace {

struct F32Step {
  using Weight = float;
  using Activation = float;
  using Operand = __m512;
  static constexpr int kValues = 1;
  static __m512 weights(const float* w) noexcept { return _mm512_loadu_ps(w); }
  static __m512 broadcast(const float* a) noexcept { return _mm512_set1_ps(*a); }
  static void madd(Vector512& s, __m512 w, __m512 a) noexcept { s.v = _mm512_fmadd_ps(a, w, s.v); }
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
  static void madd(Vector512& s, const Pair& w, const Pair& a) noexcept {
    s.v = _mm512_fmadd_ps(a.even, w.even, s.v);
    s.v = _mm512_fmadd_ps(a.odd, w.odd, s.v);
  }
};

void expand_bits(const uint8_t* bits, int n, uint8_t* y) noexcept {
  const __m512i spread = _mm512_setr_epi64(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303, 0x0404040404040404,
                                           0x0505050505050505, 0x0606060606060606, 0x0707070707070707);
  const __m512i own_bit = _mm512_set1_epi64(0x0102040810204080);
  int i = 0;
  for (; i + 8 <= n; i += 8) {
    long long eight;
    __builtin_memcpy(&eight, bits + i, 8);
    const __mmask64 set = _mm512_test_epi8_mask(_mm512_shuffle_epi8(_mm512_set1_epi64(eight), spread), own_bit);
    _mm512_storeu_si512(y + 8 * i, _mm512_mask_blend_epi8(set, _mm512_set1_epi8(127), _mm512_set1_epi8(static_cast<char>(129))));
  }
  expand_bytes(bits + i, n - i, y + 8 * i);
}

}  // namespace

void overlay(Kernels& k) noexcept {
  k.tier = "avx512";
  overlay_elementwise(k);
  overlay_expand(k);
  k.quantize_row = quantize_row_512;
  k.softmax_block = softmax_block_512;
  k.gemm_f32 = gemm_float<Vector512, F32Step, 6, 4>;
  k.gemm_f16 = gemm_float<Vector512, F16Step, 6, 4>;
  k.gemm_bf16 = gemm_float<Vector512, Bf16Step, 5, 3>;
  k.max_rows = max_rows;
  k.expand_bits = expand_bits;
}

}  // namespace e4j::cpu::avx512
