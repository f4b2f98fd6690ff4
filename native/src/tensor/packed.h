// Matrices in the order in which the CPU's products read them, one layout for every tier: panels of 16 rows (N), each contiguous.
// Made at load, or once by the converter, whose file is then used where it is mapped.
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
// described where it is undone, in cpu/expand.inl. Rows beyond N and values beyond K are zero. The quantised ones are addressed in
// chunks of 256 values of K (kChunk); only q8_0 can end in a partly filled one.
#pragma once
#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace e4j {

inline constexpr int kPanelRows = 16;             // output rows (N) of a panel
inline constexpr int kChunk = 256;                // K values of one chunk
inline constexpr size_t kPackedAlignment = 64;    // bytes, of a packed matrix in a file
// Added to the type's number in a file: none of ggml's, so that a program that does not know packed matrices refuses the file.
inline constexpr int32_t kPackedType = 1 << 30;

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

// Bytes of one panel of k values a row.
size_t panel_bytes(DType type, int k) noexcept;
// Bytes of [n][k] values packed, k a whole number of blocks; 0 when n or k is not 1 to 2^31-1, or for more bytes than there can be.
size_t packed_bytes(DType type, int64_t n, int64_t k) noexcept;
// rows [n][row_bytes(type, k)], as GGUF stores a tensor -> out[packed_bytes(type, n, k)], which is zero where nothing is written.
void pack_rows(DType type, const std::byte* rows, int n, int k, std::byte* out);

}  // namespace e4j
