// Weights repacked once at load, one layout for every tier: panels of 16 output rows (N), each panel contiguous.
//
//   f32   [K][16] float
//   f16   [K][16] half
//   bf16  [K/2][16][2] bf16 (K rounded up to even with a zero)
//   q8_0  per 256 values of K: half d[8][16];                                       u8 q[8][8][16][4], + 128
//   q4_k  per 256 values of K: half d[16], dmin[16]; u8 scale[8][16], min[8][16];   u8 nibbles[32][16][4]
//   q5_k  like q4_k, then                                                           u8 fifth_bits[8][16][4]
//   q6_k  per 256 values of K: half d[16]; int8 scale[16][16];                      u8 nibbles[32][16][4], bits[16][16][4]
//
// q[k / 4][row][k % 4] is the operand of one 8-bit dot product. The bit arrangement inside nibbles, fifth_bits and bits is
// described where it is undone, in expand.inl. Rows beyond N and values beyond K are zero. The quantised ones are addressed in
// chunks of 256 values of K (kChunk); only q8_0 can end in a partly filled one.
#pragma once
#include <cstddef>

#include "base/buffer.h"
#include "cpu/kernels.h"
#include "tensor/dtype.h"

namespace e4j {
class ThreadPool;
}

namespace e4j::cpu {

// Bytes of a chunk of one panel; 0 for the float types.
inline constexpr size_t packed_chunk_bytes(DType type) noexcept {
  switch (type) {
    case DType::Q8_0: return 256 + 4096;
    case DType::Q4_K: return 64 + 256 + 2048;
    case DType::Q5_K: return 64 + 256 + 2048 + 512;
    case DType::Q6_K: return 32 + 256 + 2048 + 1024;
    default: return 0;
  }
}

inline bool is_quantised(DType t) noexcept { return t != DType::F32 && t != DType::F16 && t != DType::BF16; }

struct PackedMatrix {
  DType type = DType::F32;
  int n = 0, k = 0;         // y[n] = sum over k
  int panels = 0;           // n / 16, rounded up
  size_t panel_bytes = 0;
  Buffer data;              // [panels][panel_bytes]

  const std::byte* panel(int p) const noexcept { return data.data() + static_cast<size_t>(p) * panel_bytes; }
};

// rows: [n][row_bytes(type, k)], as GGUF stores a tensor.
PackedMatrix pack_matrix(DType type, int n, int k, const std::byte* rows, ThreadPool& pool);

}  // namespace e4j::cpu
