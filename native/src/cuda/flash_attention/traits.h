// The shapes of the attention kernels, as types.
//
// 128 x 64 with four warps of 32 rows is FlashAttention-2's choice for head size 128 (eight warps were measured 28 % slower
// there): 64 KiB of shared memory, so two blocks on an SM of sm_80 or sm_90. Windows have at most 64 tokens, so one 64 x 64
// block of scores is all of them.
#pragma once
#include <cstdint>

#include "cuda/flash_attention/flash_attention.h"
#include "cuda/flash_attention/swizzle.h"
#include "cuda/thread_block/host_device.h"

namespace e4j::cuda {

template <int kHeadDimV, int kBlockMV, bool kCausalV>
struct AttentionTraits {
  static constexpr int kHeadDim = kHeadDimV;
  static constexpr bool kCausal = kCausalV;
  static constexpr int kBlockM = kBlockMV;  // (token, head) pairs of a tile
  static constexpr int kBlockN = 64;        // keys of a block
  static constexpr int kWarps = 4;
  static constexpr int kThreads = kWarps * kWarpSize;
  static constexpr int kFirstWarp = 0;  // that has rows

  static constexpr int kTilesM = kBlockM / kWarps / 16;  // of a warp, each 16 rows
  static constexpr int kTilesN = kBlockN / 8;            // of the scores
  static constexpr int kTilesD = kHeadDim / 8;           // of the result
  static constexpr int kChunks = kHeadDim / 8;           // of 16 bytes in a row of q, k or v

  // Bytes of shared memory: q, then a block of keys, then one of values.
  static constexpr uint32_t kRowBytes = kHeadDim * 2;
  static constexpr uint32_t kKeysAt = kBlockM * kRowBytes;
  static constexpr uint32_t kValuesAt = kKeysAt + kBlockN * kRowBytes;
  static constexpr uint32_t kSharedBytes = kValuesAt + kBlockN * kRowBytes;

  static E4J_HOST_DEVICE uint32_t place(int row, int chunk) { return swizzled<kHeadDim>(row, chunk); }

  static_assert(kHeadDim % 16 == 0 && kBlockM % (16 * kWarps) == 0);
  static_assert(kBlockM * kChunks % kThreads == 0 && kBlockN * kChunks % kThreads == 0, "every thread copies as many chunks");
};

using Causal128 = AttentionTraits<128, 128, true>;
using Full80 = AttentionTraits<80, 128, false>;
using Window80 = AttentionTraits<80, 64, false>;

inline constexpr int kWindowTokens = Window80::kBlockM;

}  // namespace e4j::cuda
