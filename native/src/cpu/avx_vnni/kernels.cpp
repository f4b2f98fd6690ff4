// AVX-VNNI: the VEX-encoded 256-bit VPDPBUSD of processors without AVX-512 (Intel from Alder Lake on, AMD from Zen 5 on). All else
// stays with the avx2 tier.
#include <immintrin.h>

#include "cpu/avx2/dot.h"
#include "cpu/kernels.h"

namespace e4j::cpu::avx_vnni {

#include "cpu/gemm_quant.inl"
#include "cpu/dot_i8.inl"

namespace {

struct VnniDot : Dot256 {
  static __m256i activations(const uint8_t* a) noexcept { return four_activations(a); }
  static void dot(__m256i& s, const Weights& w, __m256i a) noexcept { s = _mm256_dpbusd_avx_epi32(s, a, w.value); }
  static __m256i load(const int32_t* p) noexcept { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
};

}  // namespace

void overlay(Kernels& k) noexcept {
  k.tier = "avx_vnni";
  k.gemm_quant = gemm_quant_tiled<VnniDot, 3, 1>;
  k.dot_i8 = dot_i8_tiled<VnniDot, 4, 1>;
}

}  // namespace e4j::cpu::avx_vnni
