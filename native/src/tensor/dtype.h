// Tensor element types as GGUF numbers them, and the block layouts of the quantised ones (ggml's, bit for bit).
#pragma once
#include <cstddef>
#include <cstdint>

namespace e4j {

enum class DType : int32_t { F32 = 0, F16 = 1, Q8_0 = 8, Q4_K = 12, Q5_K = 13, Q6_K = 14, BF16 = 30 };
inline constexpr char kSupportedTypes[] = "F32, F16, BF16, Q8_0, Q4_K, Q5_K, Q6_K";  // for messages

inline constexpr int kQ8Block = 32;   // values in a q8_0 block
inline constexpr int kQKBlock = 256;  // values in a q4_k, q5_k or q6_k block ("super-block")

struct BlockQ8_0 {
  uint16_t d;      // f16 scale
  int8_t qs[32];   // value = d * q
};
static_assert(sizeof(BlockQ8_0) == 34);

struct BlockQ4_K {
  uint16_t d, dmin;    // f16 scale of the scales, of the minimums
  uint8_t scales[12];  // 8 scales and 8 minimums of 6 bits
  uint8_t qs[128];     // nibbles; value = d * scale * q - dmin * min, a scale per 32
};
static_assert(sizeof(BlockQ4_K) == 144);

struct BlockQ5_K {
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t qh[32];   // fifth bits
  uint8_t qs[128];
};
static_assert(sizeof(BlockQ5_K) == 176);

struct BlockQ6_K {
  uint8_t ql[128];    // low four bits
  uint8_t qh[64];     // high two bits
  int8_t scales[16];  // one per 16
  uint16_t d;         // value = d * scale * (q - 32)
};
static_assert(sizeof(BlockQ6_K) == 210);

// nullptr for a type this library does not read.
const char* dtype_name(DType type) noexcept;
// The name of any ggml type number, known or not, for messages.
const char* ggml_type_name(int32_t type) noexcept;
// True for the types above.
bool dtype_supported(int32_t type) noexcept;
// Values per block: 1, 32 or 256.
int dtype_block(DType type) noexcept;
// Bytes per block.
int dtype_block_bytes(DType type) noexcept;
// Bytes of a row of `cols` values; fails with E4J_INVALID_ARGUMENT when cols is not a positive multiple of the block.
size_t row_bytes(DType type, int64_t cols);

}  // namespace e4j
