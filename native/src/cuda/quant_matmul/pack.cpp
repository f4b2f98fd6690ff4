#include "base/status.h"
#include "cuda/quant_matmul/packed.h"
#include "cuda/quant_matmul/quant_matmul.h"

namespace e4j::cuda {
namespace {

void check_packable(DType type, int n, int k) {
  E4J_CHECK(type == DType::Q8_0 || type == DType::Q4_K || type == DType::Q5_K || type == DType::Q6_K);
  E4J_CHECK(n > 0 && k > 0 && k % dtype_block(type) == 0);
}

}  // namespace

size_t packed_weight_bytes(DType type, int n, int k) {
  check_packable(type, n, k);
  return with_format(type, [&](auto format) {
    return static_cast<size_t>(decltype(format)::row_of_units_bytes(k)) * static_cast<size_t>((n + kUnitRows - 1) / kUnitRows);
  });
}

void pack_weight(DType type, const std::byte* rows, int n, int k, std::byte* packed) {
  check_packable(type, n, k);
  const auto bytes = static_cast<int64_t>(row_bytes(type, k));
  with_format(type, [&](auto format) {
    for (int r = 0; r < (n + kUnitRows - 1) / kUnitRows; ++r)
      for (int u = 0; u < (k + kUnitK - 1) / kUnitK; ++u)
        for (int lane = 0; lane < kWarpSize; ++lane) pack_lane<decltype(format)>(rows, bytes, n, k, r, u, lane, packed);
  });
}

}  // namespace e4j::cuda
