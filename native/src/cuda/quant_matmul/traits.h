// The shapes of the matmul kernel, as types and as the choice among them.
//
// A warp has all of a block's rows of x by 32 rows of the weights, so every weight is read and dequantised once per block. At few
// rows, where reading weights is what counts, warps divide K among them and so do blocks, until the device is full; at many rows
// four warps stand side by side over 128 x 128 results.
#pragma once
#include <algorithm>
#include <cstdint>

#include "cuda/quant_matmul/packed.h"
#include "cuda/quant_matmul/quant_matmul.h"

namespace e4j::cuda {

// bf16 weights [n][w_stride]: a unit in shared memory is eight slots, slot 2j + h with the lane's eight values.
struct RowFormat {
  static constexpr DType kType = DType::BF16;
  static constexpr int kSlots = 8;
  static constexpr uint32_t kUnitBytes = kSlots * 512;
  static constexpr uint32_t kSuperScaleBytes = 0;
};

template <class FormatV, int kBlockMV, int kWarpsNV, int kWarpsKV, int kStagesV>
struct MatmulTraits {
  using Format = FormatV;
  static constexpr int kBlockM = kBlockMV;
  static constexpr int kWarpsN = kWarpsNV;
  static constexpr int kWarpsK = kWarpsKV;
  static constexpr int kStages = kStagesV;
  static constexpr int kBlockN = kWarpsN * kUnitRows;
  static constexpr int kWarps = kWarpsN * kWarpsK;
  static constexpr int kThreads = kWarps * kWarpSize;
  static constexpr int kTilesM = kBlockM / 16;
  static constexpr int kFragments = kTilesM * 4;  // of a warp: 16 x 8 results each

  // Bytes of shared memory of a stage: x [kWarpsK][kBlockM][64] bf16, then every warp's unit with its super scales.
  static constexpr uint32_t kRowsBytes = kBlockM * kUnitK * 2;
  static constexpr uint32_t kUnitsAt = kWarpsK * kRowsBytes;
  static constexpr uint32_t kWarpUnitBytes = Format::kUnitBytes + Format::kSuperScaleBytes;
  static constexpr uint32_t kStageBytes = kUnitsAt + kWarps * kWarpUnitBytes;
  // Where warps divide K, their sums meet in the same memory at the end.
  static constexpr uint32_t kSumsBytes = kWarpsK > 1 ? kWarps * kFragments * 512 : 0;
  static constexpr uint32_t kSharedBytes = std::max(kStages * kStageBytes, kSumsBytes);

  static_assert(kSharedBytes <= 99 << 10, "what every device from sm_80 on has");
  static_assert(kFragments % kWarpsK == 0 && kWarpsK * kBlockM * 8 % kThreads == 0);
};

template <class Format>
using Rows16 = MatmulTraits<Format, 16, 2, 4, Format::kType == DType::BF16 ? 2 : 3>;
template <class Format>
using Rows64 = MatmulTraits<Format, 64, 2, 2, 3>;
template <class Format>
using Rows128 = MatmulTraits<Format, 128, 4, 1, 3>;

// Blocks of the first kernel above whose rows suffice; K in `splits` parts of `units` units each.
struct MatmulPlan {
  int block_m;  // the kernel's
  int blocks_m, blocks_n;
  int splits, units;
};

inline constexpr int kMatmulCounters = 4096;  // at the start of the workspace, one for every block of results
inline constexpr size_t kPartialsAt = kMatmulCounters * sizeof(uint32_t);

// multiprocessors: of the device. More than one split only where it takes fewer than two blocks per multiprocessor and the
// parts' sums find room in the workspace.
MatmulPlan plan_matmul(int m, int n, int k, int multiprocessors);

}  // namespace e4j::cuda
