// 512 bits of floats, as gemm_float.inl uses them.
#pragma once
#include <immintrin.h>

namespace e4j::cpu {
namespace {

struct Vector512 {
  static constexpr int kLanes = 16;
  __m512 v;
  static Vector512 zero() noexcept { return {_mm512_setzero_ps()}; }
  static Vector512 load(const float* p) noexcept { return {_mm512_loadu_ps(p)}; }
  static void store(float* p, Vector512 x) noexcept { _mm512_storeu_ps(p, x.v); }
};

}  // namespace
}  // namespace e4j::cpu
