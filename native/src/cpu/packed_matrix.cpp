#include "cpu/packed_matrix.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "base/thread_pool.h"

namespace e4j::cpu {
namespace {

template <class T>
void pack_float(const std::byte* rows, int valid, int k, int interleave, std::byte* panel) {
  T* out = reinterpret_cast<T*>(panel);  // [k / interleave][16][interleave]
  for (int r = 0; r < valid; ++r) {
    const std::byte* row = rows + static_cast<size_t>(r) * static_cast<size_t>(k) * sizeof(T);
    for (int i = 0; i < k; ++i) {
      T v;
      std::memcpy(&v, row + static_cast<size_t>(i) * sizeof(T), sizeof(T));
      out[(static_cast<size_t>(i / interleave) * kPanelRows + static_cast<size_t>(r)) * static_cast<size_t>(interleave) +
          static_cast<size_t>(i % interleave)] = v;
    }
  }
}

// Where value i of a super-block of row r lies in an expanded q[64][16][4].
size_t q_index(int i, int r) { return static_cast<size_t>((i / 4 * kPanelRows + r) * 4 + i % 4); }

// Low nibbles of q vectors 0..31, high nibbles of 32..63.
void put_nibble(std::byte* nibbles, int i, int r, unsigned value) {
  const size_t at = q_index(i % 128, r);
  nibbles[at] |= static_cast<std::byte>(i < 128 ? value : value << 4);
}

// Block g of its chunk.
void pack_q8_0(const BlockQ8_0& b, int g, int r, std::byte* out) {
  std::memcpy(out + (g * kPanelRows + r) * 2, &b.d, 2);
  for (int i = 0; i < 32; ++i) std::memcpy(out + 256 + g * 512 + q_index(i, r), &b.qs[i], 1);
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
template <class Block>
unsigned k_nibble(const Block& b, int i) {
  const uint8_t byte = b.qs[i / 64 * 32 + i % 32];
  return i % 64 < 32 ? byte & 15u : byte >> 4;
}

void pack_q4_k(const BlockQ4_K& b, int, int r, std::byte* out) {
  pack_k_scales(b, r, out);
  for (int i = 0; i < 256; ++i) put_nibble(out + 320, i, r, k_nibble(b, i));
}

void pack_q5_k(const BlockQ5_K& b, int, int r, std::byte* out) {
  pack_k_scales(b, r, out);
  std::byte* high = out + 320 + 2048;
  for (int i = 0; i < 256; ++i) {
    put_nibble(out + 320, i, r, k_nibble(b, i));
    const unsigned bit = (b.qh[i % 32] >> (i / 32)) & 1u;
    const int v = i / 4;  // bit v % 8 of vector v / 8
    high[static_cast<size_t>(v / 8 * 64 + r * 4 + i % 4)] |= static_cast<std::byte>(bit << (v % 8));
  }
}

void pack_q6_k(const BlockQ6_K& b, int, int r, std::byte* out) {
  std::memcpy(out + 2 * r, &b.d, 2);
  for (int g = 0; g < 16; ++g) std::memcpy(out + 32 + g * kPanelRows + r, &b.scales[g], 1);
  std::byte* high = out + 288 + 2048;
  for (int i = 0; i < 256; ++i) {
    // Each half of 128 values: 64 bytes of low nibbles (two values of 32 apart per byte), 32 bytes of high bit pairs.
    const int half = i / 128, j = i % 128;
    const uint8_t low = b.ql[half * 64 + j % 64];
    put_nibble(out + 288, i, r, j < 64 ? low & 15u : low >> 4);
    const unsigned bits = (b.qh[half * 32 + j % 32] >> (j / 32 * 2)) & 3u;
    const int v = i / 4;  // bits 2 * (v % 4) of vector v / 4
    high[static_cast<size_t>(v / 4 * 64 + r * 4 + i % 4)] |= static_cast<std::byte>(bits << (v % 4 * 2));
  }
}

template <class Block>
void pack_blocks(DType type, const std::byte* rows, int valid, int k, std::byte* panel,
                 void (*pack)(const Block&, int, int, std::byte*)) {
  const int block = dtype_block(type), per_chunk = kChunk / block;
  const size_t blocks = static_cast<size_t>(k / block);
  for (int r = 0; r < valid; ++r)
    for (size_t b = 0; b < blocks; ++b) {
      Block value;
      std::memcpy(&value, rows + (static_cast<size_t>(r) * blocks + b) * sizeof(Block), sizeof(Block));
      const size_t chunk = b / static_cast<size_t>(per_chunk);
      pack(value, static_cast<int>(b % static_cast<size_t>(per_chunk)), r, panel + chunk * packed_chunk_bytes(type));
    }
}

size_t panel_size(DType type, int k) {
  const size_t n = static_cast<size_t>(k);
  switch (type) {
    case DType::F32: return n * kPanelRows * 4;
    case DType::F16: return n * kPanelRows * 2;
    case DType::BF16: return (n + 1) / 2 * kPanelRows * 4;
    default: return (n + kChunk - 1) / kChunk * packed_chunk_bytes(type);
  }
}

void pack_panel(DType type, const std::byte* rows, int valid, int k, std::byte* panel) {
  switch (type) {
    case DType::F32: return pack_float<float>(rows, valid, k, 1, panel);
    case DType::F16: return pack_float<uint16_t>(rows, valid, k, 1, panel);
    case DType::BF16: return pack_float<uint16_t>(rows, valid, k, 2, panel);
    case DType::Q8_0: return pack_blocks<BlockQ8_0>(type, rows, valid, k, panel, pack_q8_0);
    case DType::Q4_K: return pack_blocks<BlockQ4_K>(type, rows, valid, k, panel, pack_q4_k);
    case DType::Q5_K: return pack_blocks<BlockQ5_K>(type, rows, valid, k, panel, pack_q5_k);
    case DType::Q6_K: return pack_blocks<BlockQ6_K>(type, rows, valid, k, panel, pack_q6_k);
  }
}

}  // namespace

PackedMatrix pack_matrix(DType type, int n, int k, const std::byte* rows, ThreadPool& pool) {
  const size_t source_row = row_bytes(type, k);
  PackedMatrix m;
  m.type = type;
  m.n = n;
  m.k = k;
  m.panels = (n + kPanelRows - 1) / kPanelRows;
  m.panel_bytes = panel_size(type, k);
  m.data = Buffer(checked_mul(static_cast<size_t>(m.panels), m.panel_bytes, "packed matrix"));
  pool.parallel_for(m.panels, [&](int p, int) {
    pack_panel(type, rows + static_cast<size_t>(p) * kPanelRows * source_row, std::min(kPanelRows, n - p * kPanelRows), k,
               m.data.data() + static_cast<size_t>(p) * m.panel_bytes);
  });
  return m;
}

}  // namespace e4j::cpu
