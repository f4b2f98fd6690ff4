#include "tensor/packed.h"

#include <algorithm>
#include <cstring>

namespace e4j {
namespace {

// out[u][16] = unit u of each row; a unit is what one lane of a panel's vector holds. Rows beyond `valid` stay zero.
template <class Unit>
void interleave(const std::byte* rows, size_t row_stride, int valid, int units, std::byte* out) {
  for (int r = 0; r < valid; ++r)
    for (int u = 0; u < units; ++u)
      std::memcpy(out + (static_cast<size_t>(u) * kPanelRows + static_cast<size_t>(r)) * sizeof(Unit),
                  rows + static_cast<size_t>(r) * row_stride + static_cast<size_t>(u) * sizeof(Unit), sizeof(Unit));
}
template <class Unit>
void interleave_full(const std::byte* rows, size_t row_stride, int units, std::byte* out) {
  for (int u = 0; u < units; ++u) {
    Unit lanes[kPanelRows];
    for (int r = 0; r < kPanelRows; ++r)
      std::memcpy(&lanes[r], rows + static_cast<size_t>(r) * row_stride + static_cast<size_t>(u) * sizeof(Unit), sizeof(Unit));
    std::memcpy(out + static_cast<size_t>(u) * sizeof lanes, lanes, sizeof lanes);
  }
}
template <class Unit>
void interleave_rows(const std::byte* rows, size_t row_stride, int valid, int units, std::byte* out) {
  valid == kPanelRows ? interleave_full<Unit>(rows, row_stride, units, out) : interleave<Unit>(rows, row_stride, valid, units, out);
}

void pack_bf16(const std::byte* rows, int valid, int k, std::byte* panel) {
  const size_t row_stride = static_cast<size_t>(k) * 2;
  interleave_rows<uint32_t>(rows, row_stride, valid, k / 2, panel);
  if (k % 2 == 0) return;
  for (int r = 0; r < valid; ++r)  // the last value, beside a zero
    std::memcpy(panel + (static_cast<size_t>(k / 2) * kPanelRows + static_cast<size_t>(r)) * 4,
                rows + static_cast<size_t>(r) * row_stride + static_cast<size_t>(k - 1) * 2, 2);
}

// The 16 rows' values of one super-block, before they are interleaved.
struct Values {
  uint8_t q[kPanelRows][256];
};
using Expanded = uint8_t[64 * kPanelRows * 4];  // [k / 4][row][k % 4]

void interleave_values(const Values& values, Expanded& out) {
  interleave_full<uint32_t>(reinterpret_cast<const std::byte*>(values.q), 256, 64, reinterpret_cast<std::byte*>(out));
}

void put_nibbles(const Expanded& q, std::byte* out) {
  for (int i = 0; i < 2048; ++i) out[i] = static_cast<std::byte>((q[i] & 15) | ((q[i + 2048] & 15) << 4));
}

// Bits [4, 4 + kBits) of every value: 8 / kBits vectors of q share one of out, the lowest first.
template <int kBits>
void put_high_bits(const Expanded& q, std::byte* out) {
  constexpr int kShare = 8 / kBits;
  for (int v = 0; v < 64 / kShare; ++v)
    for (int l = 0; l < 64; ++l) {
      unsigned byte = 0;
      for (int i = 0; i < kShare; ++i) byte |= static_cast<unsigned>((q[(v * kShare + i) * 64 + l] >> 4) & ((1 << kBits) - 1)) << (i * kBits);
      out[v * 64 + l] = static_cast<std::byte>(byte);
    }
}

// The 6-bit scale and minimum of sub-block g out of the 12 packed bytes (ggml's get_scale_min_k4 layout).
void unpack_scale_min(const uint8_t* s, int g, uint8_t* scale, uint8_t* min) {
  if (g < 4) {
    *scale = s[g] & 63;
    *min = s[g + 4] & 63;
  } else {
    *scale = static_cast<uint8_t>((s[g + 4] & 15) | ((s[g - 4] >> 6) << 4));
    *min = static_cast<uint8_t>((s[g + 4] >> 4) | ((s[g] >> 6) << 4));
  }
}

template <class Block>
void pack_k_scales(const Block& b, int r, std::byte* out) {
  std::memcpy(out + 2 * r, &b.d, 2);
  std::memcpy(out + 32 + 2 * r, &b.dmin, 2);
  for (int g = 0; g < 8; ++g) {
    uint8_t scale, min;
    unpack_scale_min(b.scales, g, &scale, &min);
    out[64 + g * kPanelRows + r] = std::byte{scale};
    out[64 + (g + 8) * kPanelRows + r] = std::byte{min};
  }
}

// In q4_k and q5_k, 32 bytes hold 64 values: the low nibbles first, then the high ones.
void unpack_k_nibbles(const uint8_t* qs, uint8_t* q) {
  for (int pair = 0; pair < 4; ++pair)
    for (int i = 0; i < 32; ++i) {
      q[pair * 64 + i] = qs[pair * 32 + i] & 15;
      q[pair * 64 + 32 + i] = qs[pair * 32 + i] >> 4;
    }
}

// What a row's block adds to its packed chunk's scales, and its values.
void unpack_row(const BlockQ4_K& b, int r, std::byte* scales, uint8_t* q) {
  pack_k_scales(b, r, scales);
  unpack_k_nibbles(b.qs, q);
}

void unpack_row(const BlockQ5_K& b, int r, std::byte* scales, uint8_t* q) {
  pack_k_scales(b, r, scales);
  unpack_k_nibbles(b.qs, q);
  for (int g = 0; g < 8; ++g)
    for (int i = 0; i < 32; ++i) q[g * 32 + i] = static_cast<uint8_t>(q[g * 32 + i] | (((b.qh[i] >> g) & 1) << 4));
}

void unpack_row(const BlockQ6_K& b, int r, std::byte* scales, uint8_t* q) {
  std::memcpy(scales + 2 * r, &b.d, 2);
  for (int g = 0; g < 16; ++g) std::memcpy(scales + 32 + g * kPanelRows + r, &b.scales[g], 1);
  // Each half of 128 values: 64 bytes of low nibbles (two values 64 apart per byte), 32 bytes of high bit pairs.
  for (int half = 0; half < 2; ++half)
    for (int i = 0; i < 64; ++i) {
      const uint8_t low = b.ql[half * 64 + i], high = b.qh[half * 32 + i % 32];
      const int shift = i / 32 * 2;
      q[half * 128 + i] = static_cast<uint8_t>((low & 15) | (((high >> shift) & 3) << 4));
      q[half * 128 + 64 + i] = static_cast<uint8_t>((low >> 4) | (((high >> (shift + 4)) & 3) << 4));
    }
}

template <class Block>
void pack_super_blocks(DType type, const std::byte* rows, int valid, int k, std::byte* panel) {
  const size_t blocks = static_cast<size_t>(k / kQKBlock);
  constexpr size_t kScaleBytes = sizeof(Block) == sizeof(BlockQ6_K) ? 32 + 256 : 64 + 256;
  for (size_t b = 0; b < blocks; ++b) {
    std::byte* out = panel + b * packed_chunk_bytes(type);
    Values values{};
    for (int r = 0; r < valid; ++r) {
      Block block;
      std::memcpy(&block, rows + (static_cast<size_t>(r) * blocks + b) * sizeof(Block), sizeof(Block));
      unpack_row(block, r, out, values.q[r]);
    }
    Expanded q;
    interleave_values(values, q);
    put_nibbles(q, out + kScaleBytes);
    if (type == DType::Q5_K) put_high_bits<1>(q, out + kScaleBytes + 2048);
    if (type == DType::Q6_K) put_high_bits<2>(q, out + kScaleBytes + 2048);
  }
}

void pack_q8_0(const std::byte* rows, int valid, int k, std::byte* panel) {
  const size_t blocks = static_cast<size_t>(k / kQ8Block), row_stride = blocks * sizeof(BlockQ8_0);
  for (size_t b = 0; b < blocks; ++b) {
    std::byte* chunk = panel + b / 8 * packed_chunk_bytes(DType::Q8_0);
    const std::byte* block = rows + b * sizeof(BlockQ8_0);
    interleave_rows<uint16_t>(block, row_stride, valid, 1, chunk + b % 8 * 32);
    std::byte* q = chunk + 256 + b % 8 * 512;
    interleave_rows<uint32_t>(block + offsetof(BlockQ8_0, qs), row_stride, valid, 8, q);
    for (int i = 0; i < kQ8Block * kPanelRows; ++i) q[i] ^= std::byte{0x80};
  }
}

void pack_panel(DType type, const std::byte* rows, int valid, int k, std::byte* panel) {
  switch (type) {
    case DType::F32: return interleave_rows<float>(rows, static_cast<size_t>(k) * 4, valid, k, panel);
    case DType::F16: return interleave_rows<uint16_t>(rows, static_cast<size_t>(k) * 2, valid, k, panel);
    case DType::BF16: return pack_bf16(rows, valid, k, panel);
    case DType::Q8_0: return pack_q8_0(rows, valid, k, panel);
    case DType::Q4_K: return pack_super_blocks<BlockQ4_K>(type, rows, valid, k, panel);
    case DType::Q5_K: return pack_super_blocks<BlockQ5_K>(type, rows, valid, k, panel);
    case DType::Q6_K: return pack_super_blocks<BlockQ6_K>(type, rows, valid, k, panel);
  }
}

}  // namespace

size_t panel_bytes(DType type, int k) noexcept {
  const size_t n = static_cast<size_t>(k);
  switch (type) {
    case DType::F32: return n * kPanelRows * 4;
    case DType::F16: return n * kPanelRows * 2;
    case DType::BF16: return (n + 1) / 2 * kPanelRows * 4;
    default: return (n + kChunk - 1) / kChunk * packed_chunk_bytes(type);
  }
}

size_t packed_bytes(DType type, int64_t n, int64_t k) noexcept {
  if (n < 1 || n > INT32_MAX || k < 1 || k > INT32_MAX) return 0;
  size_t bytes;
  if (__builtin_mul_overflow(static_cast<size_t>((n + kPanelRows - 1) / kPanelRows), panel_bytes(type, static_cast<int>(k)), &bytes)) return 0;
  return bytes <= INT64_MAX ? bytes : 0;
}

void pack_rows(DType type, const std::byte* rows, int n, int k, std::byte* out) {
  const size_t row = row_bytes(type, k), panel = panel_bytes(type, k);
  for (int first = 0; first < n; first += kPanelRows)
    pack_panel(type, rows + static_cast<size_t>(first) * row, std::min(kPanelRows, n - first), k, out + static_cast<size_t>(first / kPanelRows) * panel);
}

}  // namespace e4j
