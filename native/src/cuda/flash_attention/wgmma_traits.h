// The shape of the attention kernel on warpgroups (wgmma_kernel.h), and where its operands lie in shared memory.
//
// Two warpgroups of 64 rows multiply, a third copies. Blocks of 128 keys are FlashAttention-3's choice for causal attention and
// head size 128; with 64 rows a thread holds 64 scores, 64 results and 32 registers of probabilities.
#pragma once
#include <cstdint>

#include "cuda/flash_attention/flash_attention.h"
#include "cuda/thread_block/host_device.h"

namespace e4j::cuda {

struct WgmmaCausal128 {
  static constexpr int kHeadDim = 128;
  static constexpr bool kCausal = true;
  static constexpr int kBlockM = 128;  // as Causal128's, so that one list of tiles serves both
  static constexpr int kBlockN = 128;
  static constexpr int kConsumers = 2;  // warpgroups
  static constexpr int kThreads = (1 + kConsumers) * 128;
  static constexpr int kFirstWarp = 4;  // that has rows
  static constexpr int kGroupRows = kBlockM / kConsumers;

  static constexpr int kTilesM = 1;  // of a warp
  static constexpr int kTilesN = kBlockN / 8;
  static constexpr int kTilesD = kHeadDim / 8;
  static constexpr int kChunks = kHeadDim / 8;

  // A thread starts with 168 registers (65536 / 384, in eights), together 3 x 168 = 40 + 2 x 232.
  static constexpr int kProducerRegisters = 40;
  static constexpr int kConsumerRegisters = 232;

  // Bytes of shared memory: q, then a ring of blocks of keys or values, then the barriers. Each is two halves of 64 columns, whose
  // rows are 128 bytes.
  static constexpr int kStages = 6;
  static constexpr uint32_t kRowBytes = 128;
  static constexpr uint32_t kHalfBytes = 128 * kRowBytes;
  static constexpr uint32_t kBlockBytes = 2 * kHalfBytes;
  static constexpr uint32_t kRingAt = kBlockBytes;
  static constexpr uint32_t kBarriersAt = kRingAt + kStages * kBlockBytes;
  static constexpr uint32_t kSharedBytes = kBarriersAt + 128;

  static_assert(kBlockM == 128 && kBlockN == 128, "kHalfBytes");
  static_assert(kBlockN % kBlockM == 0, "where a block of keys ends, so does a tile: only the last block a tile visits needs the mask");
  static_assert(2 * kStages * 8 <= 128);
  static_assert(kSharedBytes <= 227 * 1024, "what a block may have");

  // Where a 16-byte chunk of a row lies in q or a block: the order in which products expect 128-byte rows (warpgroup.h). Eight
  // rows' same chunks lie in eight different groups of banks.
  static E4J_HOST_DEVICE uint32_t place(int row, int chunk) {
    return static_cast<uint32_t>(chunk / 8) * kHalfBytes + static_cast<uint32_t>(row) * kRowBytes + static_cast<uint32_t>((chunk ^ row) % 8) * 16;
  }
};

}  // namespace e4j::cuda
