// AVX2 + FMA + F16C: 256-bit float and 8-bit products; 8-bit dots by maddubs of magnitudes and sign-carrying bytes.
#include <immintrin.h>

#include "cpu/avx2/dot.h"
#include "cpu/kernels.h"

namespace e4j::cpu::avx2 {

#include "cpu/elementwise.inl"
#include "cpu/expand.inl"
#include "cpu/gemm_float.inl"
#include "cpu/gemm_quant.inl"
#include "cpu/dot_i8.inl"
constexpr int kLanes = 8;
#include "cpu/maxsim.inl"

namespace {

struct Vector {
  static constexpr int kLanes = 8;
  __m256 v;
  static Vector zero() noexcept { return {_mm256_setzero_ps()}; }
  static Vector load(const float* p) noexcept { return {_mm256_loadu_ps(p)}; }
  static void store(float* p, Vector x) noexcept { _mm256_storeu_ps(p, x.v); }
};

struct F32Step {
  using Weight = float;
  using Activation = float;
  using Operand = __m256;
  static constexpr int kValues = 1;
  static __m256 weights(const float* w) noexcept { return _mm256_loadu_ps(w); }
  static __m256 broadcast(const float* a) noexcept { return _mm256_broadcast_ss(a); }
  static void madd(Vector& s, __m256 w, __m256 a) noexcept { s.v = _mm256_fmadd_ps(a, w, s.v); }
};

struct F16Step : F32Step {
  using Weight = uint16_t;
  static __m256 weights(const uint16_t* w) noexcept {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w)));
  }
};

// A bf16 is the upper half of a float: the odd element of a pair by a mask, the even one by a shift.
struct Pair {
  __m256 even, odd;
};
inline Pair split_pair(__m256i pairs) noexcept {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)),
          _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(static_cast<int>(0xFFFF0000u))))};
}
struct Bf16Step {
  using Weight = uint16_t;
  using Activation = uint16_t;
  using Operand = Pair;
  static constexpr int kValues = 2;
  static Pair weights(const uint16_t* w) noexcept { return split_pair(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w))); }
  static Pair broadcast(const uint16_t* a) noexcept {
    int pair;
    __builtin_memcpy(&pair, a, 4);
    return split_pair(_mm256_set1_epi32(pair));
  }
  static void madd(Vector& s, const Pair& w, const Pair& a) noexcept {
    s.v = _mm256_fmadd_ps(a.even, w.even, s.v);
    s.v = _mm256_fmadd_ps(a.odd, w.odd, s.v);
  }
};

inline void add_products(__m256i& s, __m256i unsigned_bytes, __m256i signed_bytes) noexcept {
  const __m256i pairs = _mm256_maddubs_epi16(unsigned_bytes, signed_bytes);
  s = _mm256_add_epi32(s, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
inline __m256i without_bias(__m256i x) noexcept { return _mm256_xor_si256(x, _mm256_set1_epi8(static_cast<char>(0x80))); }

// maddubs saturates at 2^15, which a pair of products of |w| <= 128 and |a| <= 127 stays below: the weights' +128 is taken off
// here, and nothing is left to undo.
struct BlockDot : Dot256 {
  struct Weights {
    __m256i value, magnitude;
  };
  using Activations = __m256i;
  template <bool kBiased>
  static Weights weights(const uint8_t* q) noexcept {
    const __m256i bytes = load_bytes(q);
    if constexpr (!kBiased) return {bytes, bytes};
    const __m256i value = without_bias(bytes);
    return {value, _mm256_abs_epi8(value)};
  }
  static __m256i activations(const int8_t* a) noexcept { return four_bytes(a); }
  static __m256i start(const int32_t*) noexcept { return zero(); }
  template <bool kBiased>
  static void dot(__m256i& s, const Weights& w, __m256i a) noexcept {
    add_products(s, w.magnitude, kBiased ? _mm256_sign_epi8(a, w.value) : a);
  }
};

// Here the activations are the ones that may be -128: |a| <= 128 and |w| <= 127.
struct ByteDot : Dot256 {
  using Weights = __m256i;
  struct Activations {
    __m256i value, magnitude;
  };
  static __m256i weights(const int8_t* q) noexcept { return load_bytes(q); }
  static Activations activations(const uint8_t* a) noexcept {
    const __m256i value = without_bias(four_bytes(a));
    return {value, _mm256_abs_epi8(value)};
  }
  static __m256i load(const int32_t*) noexcept { return zero(); }
  static void dot(__m256i& s, __m256i w, const Activations& a) noexcept {
    add_products(s, a.magnitude, _mm256_sign_epi8(w, a.value));
  }
};

void expand_bits(const uint8_t* bits, int n, uint8_t* y) noexcept {
  const __m256i spread = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i own_bit = _mm256_set1_epi64x(0x0102040810204080);
  int i = 0;
  for (; i + 4 <= n; i += 4) {
    int four;
    __builtin_memcpy(&four, bits + i, 4);
    const __m256i apart = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(four), spread), own_bit);
    const __m256i set = _mm256_cmpeq_epi8(apart, own_bit);  // -1 where the bit is 1
    const __m256i ones = _mm256_sub_epi8(_mm256_set1_epi8(127), _mm256_add_epi8(set, set));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + 8 * i), ones);
  }
  expand_bytes(bits + i, n - i, y + 8 * i);
}

}  // namespace

void overlay(Kernels& k) noexcept {
  k.tier = "avx2";
  overlay_elementwise(k);
  overlay_expand(k);
  k.gemm_f32 = gemm_float<Vector, F32Step, 6, 1>;
  k.gemm_f16 = gemm_float<Vector, F16Step, 6, 1>;
  k.gemm_bf16 = gemm_float<Vector, Bf16Step, 4, 1>;
  k.gemm_quant = gemm_quant_tiled<BlockDot, 2, 1>;
  k.dot_i8 = dot_i8_tiled<ByteDot, 4, 1>;
  k.max_rows = max_rows;
  k.expand_bits = expand_bits;
}

}  // namespace e4j::cpu::avx2
