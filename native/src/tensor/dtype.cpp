#include "tensor/dtype.h"

#include <iterator>

#include "base/status.h"

namespace e4j {
namespace {

// ggml's numbering; numbers of withdrawn types stay reserved.
constexpr const char* kGgmlTypeNames[] = {
    "F32",      "F16",      "Q4_0",     "Q4_1",    "Q4_2",    "Q4_3",   "Q5_0",   "Q5_1",    "Q8_0",
    "Q8_1",     "Q2_K",     "Q3_K",     "Q4_K",    "Q5_K",    "Q6_K",   "Q8_K",   "IQ2_XXS", "IQ2_XS",
    "IQ3_XXS",  "IQ1_S",    "IQ4_NL",   "IQ3_S",   "IQ2_S",   "IQ4_XS", "I8",     "I16",     "I32",
    "I64",      "F64",      "IQ1_M",    "BF16",    "Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8", "TQ1_0", "TQ2_0",
    "IQ4_NL_4_4", "IQ4_NL_4_8", "IQ4_NL_8_8", "MXFP4", "NVFP4", "Q1_0", "Q2_0"};
static_assert(std::size(kGgmlTypeNames) == 43);

}  // namespace

const char* ggml_type_name(int32_t type) noexcept {
  return type >= 0 && type < static_cast<int32_t>(std::size(kGgmlTypeNames)) ? kGgmlTypeNames[type] : "unknown";
}

bool dtype_supported(int32_t type) noexcept {
  switch (static_cast<DType>(type)) {
    case DType::F32:
    case DType::F16:
    case DType::BF16:
    case DType::Q8_0:
    case DType::Q4_K:
    case DType::Q5_K:
    case DType::Q6_K: return true;
  }
  return false;
}

const char* dtype_name(DType type) noexcept {
  const auto number = static_cast<int32_t>(type);
  return dtype_supported(number) ? ggml_type_name(number) : nullptr;
}

int dtype_block(DType type) noexcept {
  switch (type) {
    case DType::Q8_0: return kQ8Block;
    case DType::Q4_K:
    case DType::Q5_K:
    case DType::Q6_K: return kQKBlock;
    case DType::F32:
    case DType::F16:
    case DType::BF16: break;
  }
  return 1;
}

int dtype_block_bytes(DType type) noexcept {
  switch (type) {
    case DType::F32: return 4;
    case DType::F16:
    case DType::BF16: return 2;
    case DType::Q8_0: return sizeof(BlockQ8_0);
    case DType::Q4_K: return sizeof(BlockQ4_K);
    case DType::Q5_K: return sizeof(BlockQ5_K);
    case DType::Q6_K: return sizeof(BlockQ6_K);
  }
  return 0;
}

size_t row_bytes(DType type, int64_t cols) {
  const auto number = static_cast<int32_t>(type);
  if (!dtype_supported(number))
    fail(E4J_INVALID_ARGUMENT, "type %d (%s) is not supported; supported: %s", number, ggml_type_name(number),
         kSupportedTypes);
  const int block = dtype_block(type);
  if (cols <= 0 || cols % block != 0)
    fail(E4J_INVALID_ARGUMENT, "a row of %lld values cannot be %s: expected a positive multiple of %d",
         static_cast<long long>(cols), dtype_name(type), block);
  size_t bytes;
  if (__builtin_mul_overflow(static_cast<size_t>(cols / block), static_cast<size_t>(dtype_block_bytes(type)), &bytes))
    fail(E4J_INVALID_ARGUMENT, "a row of %lld %s values is too large", static_cast<long long>(cols), dtype_name(type));
  return bytes;
}

}  // namespace e4j
