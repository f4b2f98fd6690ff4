// Armv8.2 FEAT_DotProd: SDOT, four s8 x s8 products into each 32-bit lane.
#include "cpu/neon/vector.h"

namespace e4j::cpu::neon_dotprod {

#include "cpu/gemm_quant.inl"
#include "cpu/dot_i8.inl"

namespace {

struct BlockDot : SignedBlockDot {
  template <bool>
  static void dot(int32x4_t& s, int8x16_t w, int8x16_t a) noexcept { s = vdotq_s32(s, w, a); }
};
struct ByteDot : SignedByteDot {
  static void dot(int32x4_t& s, int8x16_t w, int8x16_t a) noexcept { s = vdotq_s32(s, w, a); }
};

}  // namespace

void overlay(Kernels& k) noexcept {
  k.tier = "neon_dotprod";
  k.gemm_quant = gemm_quant_tiled<BlockDot, 3, 1>;
  k.dot_i8 = dot_i8_tiled<ByteDot, 6, 1>;
}

}  // namespace e4j::cpu::neon_dotprod
