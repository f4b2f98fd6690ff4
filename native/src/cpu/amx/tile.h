// The AMX tile instructions. As assembly, because the compilers' intrinsics do not say which memory they read, so that earlier
// stores to it may be moved or dropped.
#pragma once
#include <cstddef>
#include <cstdint>

namespace e4j::cpu::amx {
namespace {

// LDTILECFG's operand: palette 1, and each tile's bytes per row and rows.
struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  void set(int tile, int tile_rows, int tile_row_bytes) noexcept {
    rows[tile] = static_cast<uint8_t>(tile_rows);
    row_bytes[tile] = static_cast<uint16_t>(tile_row_bytes);
  }
};
static_assert(sizeof(TileShapes) == 64);

// Every tile becomes zero.
inline void configure(const TileShapes& shapes) noexcept { __asm__ volatile("ldtilecfg %0" : : "m"(shapes) : "memory"); }
inline void release() noexcept { __asm__ volatile("tilerelease" : : : "memory"); }

template <int kTile>
inline void zero() noexcept {
  __asm__ volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
// Row r at p + r * stride bytes.
template <int kTile>
inline void load(const void* p, size_t stride) noexcept {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
inline void store(void* p, size_t stride) noexcept {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
}
// c[m][n] += a[m][k] x b[k / 2][n][2], in bf16
template <int kC, int kA, int kB>
inline void dot_bf16() noexcept {
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
}
// c[m][n] += a[m][k] (s8) x b[k / 4][n][4] (u8)
template <int kC, int kA, int kB>
inline void dot_s8u8() noexcept {
  __asm__ volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
}

}  // namespace
}  // namespace e4j::cpu::amx
