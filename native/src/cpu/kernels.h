// The kernels a CPU tier provides: a table of functions over raw pointers. No allocation, no logging, noexcept.
//
// Numerical contract. Every element of a matrix product is one running sum over K in ascending order (in steps of the
// kernel's own K granularity), whatever the number of rows, the tiling or the thread: a vector does not depend on its
// batch. Calling with accumulate continues that sum from c.
//
// Weights come as panels of 16 output rows (tensor/packed.h), activations as rows.
#pragma once
#include <cstddef>
#include <cstdint>

#include "tensor/packed.h"

namespace e4j::cpu {

inline constexpr int kMaxPanels = 4;    // panels a kernel takes at once
inline constexpr int kQuantBlock = 32;  // activation values that share a scale

// Weights that will be read after this tile's. A kernel asks for them evenly while it computes, so that with few rows the
// memory does not stand idle while there is arithmetic to do, nor the other way round. Never more than a hint.
struct Ahead {
  const std::byte* data[kMaxPanels];
  size_t bytes = 0;  // of each of the tile's panels; 0: nothing to fetch
};

// c[m][16 * panels] (+)= a[m][k] x w.   k is even for bf16.
struct GemmTile {
  int m, k, panels;
  bool accumulate;
  const void* a;            // [m][a_stride] float (f32, f16) or bf16
  size_t a_stride;
  const void* w;            // panel p at element p * w_panel_stride: f32, f16 [k][16]; bf16 [k/2][16][2]
  size_t w_panel_stride;
  float* c;                 // [m][c_stride]
  size_t c_stride;
  Ahead ahead;
};

// A panel's next kChunk values of K, ready for 8-bit dot products: weight = scale * q - min (q4_k, q5_k; q below 32) or
// scale * (q - 128).
struct ExpandedPanel {
  alignas(64) uint8_t q[kChunk / 4][kPanelRows][4];
  alignas(64) float scale[kChunk / 16][kPanelRows];    // one row per group of 16 or 32 values
  alignas(64) float min[kChunk / 32][kPanelRows];      // one row per 32 values; q4_k, q5_k only
};

// c[m][16 * panels] (+)= a[m][groups * group] x w.
struct QuantTile {
  int m, panels, groups;
  int group;                  // 16 or 32 values of K under one weight scale
  bool minimums;
  bool accumulate;
  const int8_t* a;            // [m][a_stride]: round(x / scale), -127 .. 127
  size_t a_stride;
  const float* a_scale;       // [m][a_scale_stride], one per kQuantBlock values
  const float* a_sum;         // [m][a_scale_stride]: scale * sum of the block's values; read with minimums
  size_t a_scale_stride;
  const int32_t* a_offset;    // [m][a_offset_stride], one per group: -128 * sum of its values, which undoes the weights' +128;
  size_t a_offset_stride;     // read without minimums
  const ExpandedPanel* w;     // [panels]
  const uint8_t* q[kMaxPanels];  // each panel's q: groups of [group / 4][16][4], q_group_stride bytes apart
  size_t q_group_stride;
  float* c;
  size_t c_stride;
  Ahead ahead;
};

// c[m][16 * panels] = a_scale[m] * (a[m][k] x w): the dots are exact integers, converted and scaled once at the end.
struct DotTile {
  int m, k, panels;         // k is a multiple of 4, at most 4096
  const uint8_t* a;         // [m][a_stride]: value + 128, any int8 value
  size_t a_stride;
  const float* a_scale;     // [m]
  const int8_t* w;          // panel p at p * w_panel_stride: [k / 4][16][4], -127 .. 127
  size_t w_panel_stride;
  const int32_t* offset;    // [16 * panels]: -128 * sum of the row's w: undoes the +128
  float* c;                 // [m][c_stride]
  size_t c_stride;
};

// An 8-bit activation row of n values, a multiple of 32; what they are, QuantTile says.
struct QuantRow {
  int8_t* q;             // [n]
  float *scale, *sum;    // [n / 32]
  int32_t* offset;       // [n / 32], of groups of 32
  int32_t* half_offset;  // [n / 16], of groups of 16
};
using QuantizeRow = void (*)(const float* x, int n, const QuantRow& out) noexcept;
// One packed chunk, of which `blocks` blocks of 32 values are filled -> out. For q8_0, out->q is not written: the packed q
// serves in place.
using ExpandPanel = void (*)(const std::byte* packed, int blocks, ExpandedPanel* out) noexcept;

struct Kernels {
  const char* tier;

  void (*gemm_f32)(const GemmTile&) noexcept;
  void (*gemm_f16)(const GemmTile&) noexcept;   // f16 weights, float activations
  void (*gemm_bf16)(const GemmTile&) noexcept;
  void (*gemm_quant)(const QuantTile&) noexcept;
  ExpandPanel expand_q8_0, expand_q4_k, expand_q5_k, expand_q6_k;

  void (*to_bf16)(const float* x, int n, uint16_t* y) noexcept;  // nearest, ties to even; NaN kept
  QuantizeRow quantize_row;

  // y = x / sqrt(mean(x^2) + eps) * weight
  void (*rms_norm)(const float* x, const float* weight, int n, float eps, float* y) noexcept;
  // gate = silu(gate) * up
  void (*swiglu)(float* gate, const float* up, int n) noexcept;
  // NEOX halves: x[j], x[j + half] rotated by angle j; cos, sin [half]
  void (*rotate)(float* x, const float* cos, const float* sin, int half) noexcept;
  // Online softmax over one row of n scores already computed for this block of keys; keys >= valid are masked out.
  // Scales, updates max and sum, leaves exp(score * softmax_scale - max) in scores; returns the factor for what was summed before.
  float (*softmax_block)(float* scores, int n, int valid, float softmax_scale, float* max, float* sum) noexcept;
  void (*scale)(float* x, int n, float factor) noexcept;         // x *= factor
  void (*add)(float* x, const float* y, int n) noexcept;         // x += y

  void (*dot_i8)(const DotTile&) noexcept;
  // best[n] = max(best[n], c[m][n]) over the m rows; poison[n] becomes NaN when one of them is not finite. n: a multiple of 16
  void (*max_rows)(const float* c, int m, int n, size_t c_stride, float* best, float* poison) noexcept;
  // n bytes of bits, the highest first -> y[8 * n]: 129 for 1, 127 for 0 (+-1, + 128)
  void (*expand_bits)(const uint8_t* bits, int n, uint8_t* y) noexcept;
};

// Each tier overlays what it does better onto the table below it.
#define E4J_TIER(name)               \
  namespace name {                   \
  void overlay(Kernels&) noexcept;   \
  }
E4J_TIER(scalar)
E4J_TIER(avx2)
E4J_TIER(avx_vnni)
E4J_TIER(avx512)
E4J_TIER(avx512_vnni)
E4J_TIER(avx512_bf16)
E4J_TIER(amx)
E4J_TIER(neon)
E4J_TIER(neon_dotprod)
E4J_TIER(neon_i8mm)
E4J_TIER(neon_bf16)
#undef E4J_TIER

}  // namespace e4j::cpu
