// AVX-VNNI: the VEX-encoded 256-bit VPDPBUSD of processors without AVX-512 (Intel from Alder Lake on, AMD from Zen 5 on). All else
// stays with the avx2 tier.
#include <immintrin.h>

#include "cpu/avx2/dot.h"
#include "cpu/kernels.h"

namespace e4j::cpu::avx_vnni {

#include "cpu/gemm_quant.inl"
#include "cpu/dot_i8.inl"

namespace {

// VPDPBUSD takes its unsigned bytes from the weights.
struct BlockDot : Dot256 {
  struct Weights {
    __m256i value;
  };
  using Activations = __m256i;
  template <bool>
  static Weights weights(const uint8_t* q) noexcept { return {load_bytes(q)}; }
  static __m256i activations(const int8_t* a) noexcept { return four_bytes(a); }
  static __m256i start(const int32_t* offset) noexcept { return _mm256_set1_epi32(*offset); }
  template <bool>
  static void dot(__m256i& s, const Weights& w, __m256i a) noexcept { s = _mm256_dpbusd_avx_epi32(s, w.value, a); }
};

// And here from the activations.
struct ByteDot : Dot256 {
  struct Weights {
    __m256i value;
  };
  using Activations = __m256i;
  static Weights weights(const int8_t* q) noexcept { return {load_bytes(q)}; }
  static __m256i activations(const uint8_t* a) noexcept { return four_bytes(a); }
  static __m256i load(const int32_t* p) noexcept { return load_bytes(p); }
  static void dot(__m256i& s, const Weights& w, __m256i a) noexcept { s = _mm256_dpbusd_avx_epi32(s, a, w.value); }
};

}  // namespace

void overlay(Kernels& k) noexcept {
  k.tier = "avx_vnni";
  k.gemm_quant = gemm_quant_tiled<BlockDot, 3, 1>;
  k.dot_i8 = dot_i8_tiled<ByteDot, 4, 1>;
}

}  // namespace e4j::cpu::avx_vnni
