// What the attention kernels share: the rows of a tile in q and out, and how the result is stored.
#pragma once
#include "cuda/flash_attention/flash_attention.h"
#include "cuda/thread_block/primitives.h"

namespace e4j::cuda {

// The call with what follows from it, so that the kernel holds neither in registers.
struct AttentionArguments : FlashAttention {
  int group;         // query heads of a key/value head
  float log2_scale;  // softmax_scale * log2 e
};
inline AttentionArguments attention_arguments(const FlashAttention& call) {
  return {call, call.num_heads / call.num_kv_heads, call.softmax_scale * 1.4426950408889634f};
}

// T::place(row, chunk): where 16 bytes of a row of q lie in shared memory. Each warp from T::kFirstWarp on has T::kTilesM * 16 rows of
// the tile.
template <class T>
class TileRows {
 protected:
  static constexpr int kWarpRows = 16 * T::kTilesM;

  E4J_DEVICE TileRows(const AttentionArguments& call) : call_(call), base_(shared_memory()) {}

  E4J_DEVICE int rows() const { return tile().length * call_.group; }  // of the sequence and key/value head
  E4J_DEVICE static int first_of_warp() { return (warp() - T::kFirstWarp) * kWarpRows; }
  // Element of q or out where row r of the sequence begins.
  E4J_DEVICE int64_t row_at(int r, int64_t stride) const {
    const int token = r / call_.group;
    return (tile().first_row + token) * stride + (tile().kv_head * call_.group + (r - token * call_.group)) * T::kHeadDim;
  }

  E4J_DEVICE void store(const float (&out)[T::kTilesM][T::kTilesD][4]) {
    call_.out_f32 != nullptr ? store_f32(out) : store_bf16(out);
  }
  E4J_DEVICE void store_f32(const float (&out)[T::kTilesM][T::kTilesD][4]) {
    E4J_UNROLL
    for (int r = 0; r < 2 * T::kTilesM; ++r) {
      const int row = first_row() + first_of_warp() + r / 2 * 16 + r % 2 * 8 + lane() / 4;
      if (row >= rows()) continue;
      float* to = call_.out_f32 + row_at(row, call_.out_stride) + lane() % 4 * 2;
      E4J_UNROLL
      for (int d = 0; d < T::kTilesD; ++d) *reinterpret_cast<Floats2*>(to + d * 8) = {{out[r / 2][d][r % 2 * 2], out[r / 2][d][r % 2 * 2 + 1]}};
    }
  }
  // Through the warp's own rows of q, which nobody needs any more, so that 16 bytes are stored at once.
  E4J_DEVICE void store_bf16(const float (&out)[T::kTilesM][T::kTilesD][4]) {
    sync_warp();
    E4J_UNROLL
    for (int r = 0; r < 2 * T::kTilesM; ++r) {
      const int row = first_of_warp() + r / 2 * 16 + r % 2 * 8 + lane() / 4;
      E4J_UNROLL
      for (int d = 0; d < T::kTilesD; ++d)
        store_shared_4(base_ + T::place(row, d) + static_cast<uint32_t>(lane() % 4 * 4),
                       pack_bf16(out[r / 2][d][r % 2 * 2], out[r / 2][d][r % 2 * 2 + 1]));
    }
    sync_warp();
    E4J_UNROLL
    for (int i = 0; i < kWarpRows * T::kChunks / kWarpSize; ++i) {
      const int index = lane() + i * kWarpSize, row = first_of_warp() + index / T::kChunks, chunk = index % T::kChunks;
      const Words4 words = load_shared_16(base_ + T::place(row, chunk));
      if (first_row() + row < rows())
        *reinterpret_cast<Words4*>(call_.out_bf16 + row_at(first_row() + row, call_.out_stride) + chunk * 8) = words;
    }
  }

  const AttentionArguments& call_;
  // Read where it is needed: it is in the nearest cache, and registers are what is short.
  E4J_DEVICE const AttentionTile& tile() const { return call_.tiles[block_index()]; }
  E4J_DEVICE int first_row() const { return tile().m_block * T::kBlockM; }
  const uint32_t base_;
};

// The block's tile, by AttentionTileLoop (kernel.h) or WgmmaTileLoop (wgmma_kernel.h).
template <class TileLoop>
E4J_DEVICE void attention_tile(const AttentionArguments& call) {
  if (call.tiles[block_index()].length > 0) TileLoop(call).run();
}

}  // namespace e4j::cuda
