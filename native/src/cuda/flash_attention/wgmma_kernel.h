// The attention of one tile by three warpgroups of an sm_90a block, after FlashAttention-3 (Shah et al., arXiv 2407.08608): one
// copies keys and values into a ring, two multiply rows of their own. Their products run by themselves (wgmma); while those of one
// do, the other's softmax runs, and its own of the scores that came before.
//
// Proxies. Copies (cp.async) write shared memory through the generic proxy, products read it through the async proxy, and between
// the two a fence.proxy.async must lie on the path of causality. The producer's threads go on before their copies are there, and
// the arrival that announces them is the copies' own, so they cannot fence; the consumers do, after waiting for that arrival and
// before their products. (FlashAttention-3's paged keys take the same way without any fence; PTX ISA does not promise that.) The
// other way round, a finished wgmma is followed by a fence of its own, so the producer may copy over what was read, and a warp store
// its results over its queries.
#pragma once
#include "cuda/flash_attention/mask.h"
#include "cuda/flash_attention/softmax.h"
#include "cuda/flash_attention/tile_rows.h"
#include "cuda/flash_attention/wgmma_traits.h"
#include "cuda/thread_block/warpgroup.h"

namespace e4j::cuda {

template <class T>
class WgmmaTileLoop : TileRows<T> {
  using TileRows<T>::base_, TileRows<T>::call_, TileRows<T>::first_of_warp, TileRows<T>::first_row, TileRows<T>::row_at, TileRows<T>::rows,
      TileRows<T>::tile;

 public:
  using Traits = T;
  E4J_DEVICE WgmmaTileLoop(const AttentionArguments& call) : TileRows<T>(call) {}

  E4J_DEVICE void run() {
    const int group = uniform(thread() / kWarpgroupSize);
    if (thread() == 0) {
      for (int stage = 0; stage < T::kStages; ++stage) {
        init_barrier(full(stage), kWarpgroupSize);                               // the producer's threads
        init_barrier(empty(stage), T::kConsumers * kWarpgroupSize / kWarpSize);  // the consumers' warps
      }
    }
    sync_threads();
    const int blocks = key_blocks<T>(tile().length, call_.group, tile().m_block);
    if (group == 0) {
      shrink_registers<T::kProducerRegisters>();
      produce(blocks);
    } else {
      grow_registers<T::kConsumerRegisters>();
      consume(group - 1, blocks);
    }
  }

 private:
  using Tiles = float[1][16][4];
  static_assert(T::kTilesM == 1 && T::kTilesN == 16 && T::kTilesD == 16);

  enum Named { kTurn = 1, kOwnRows = kTurn + T::kConsumers };  // barriers: one for each consumer

  // A stage of the ring and the parity of its use: keys of the first block, keys of the second, values of the first, keys of the
  // third, values of the second and so on. The first block is the tile's last one, which needs the mask.
  struct Place {
    int stage = 0;
    uint32_t parity = 0;
    E4J_DEVICE void next() {
      if (++stage == T::kStages) {
        stage = 0;
        parity ^= 1;
      }
    }
  };
  E4J_DEVICE uint32_t full(int stage) const { return base_ + T::kBarriersAt + 8 * static_cast<uint32_t>(stage); }
  E4J_DEVICE uint32_t empty(int stage) const { return full(T::kStages + stage); }
  E4J_DEVICE uint32_t block_at(int stage) const { return base_ + T::kRingAt + static_cast<uint32_t>(stage) * T::kBlockBytes; }

  E4J_DEVICE void produce(int blocks) {
    copy_queries();  // an arrival stands for all copies before it: that of the first keys for the queries too
    const int column = tile().kv_head * T::kHeadDim + thread() % T::kChunks * 8, length = tile().length;
    const uint16_t* k = call_.k + tile().first_row * call_.k_stride + column;
    const uint16_t* v = call_.v + tile().first_row * call_.v_stride + column;
    Place place;
    E4J_NO_UNROLL
    for (int block = blocks - 1; block >= -1; --block) {
      if (block >= 0) copy_block(place, k, call_.k_stride, block, length);
      if (block + 1 < blocks) copy_block(place, v, call_.v_stride, block + 1, length);
    }
    // No thread leaves before its copies are there.
    commit_copies();
    wait_copies<0>();
  }
  static constexpr int kCopiedRows = kWarpgroupSize / T::kChunks;  // at once, by the warpgroup

  E4J_DEVICE void copy_queries() {
    const int first = thread() / T::kChunks, chunk = thread() % T::kChunks;
    E4J_NO_UNROLL
    for (int row = first; row < T::kBlockM; row += kCopiedRows) {
      const bool valid = first_row() + row < rows();
      copy_async_16(base_ + T::place(row, chunk), call_.q + (valid ? row_at(first_row() + row, call_.q_stride) + chunk * 8 : 0), valid);
    }
  }
  // Keys or values [128 * block, 128 * block + 128), when both consumers are done with what was there; zeros beyond the sequence,
  // whose first row's chunk of this thread is at `from`.
  E4J_DEVICE void copy_block(Place& place, const uint16_t* from, int64_t stride, int block, int length) {
    const int first = thread() / T::kChunks, chunk = thread() % T::kChunks;
    const int left = length - block * T::kBlockN;
    const uint32_t to = block_at(place.stage) + T::place(first, chunk);  // kCopiedRows are a period of the swizzle
    static_assert(kCopiedRows % 8 == 0);
    wait_barrier(empty(place.stage), place.parity ^ 1);
    E4J_NO_UNROLL
    for (int part = 0; part < T::kBlockN; part += 4 * kCopiedRows) {
      E4J_UNROLL
      for (int row = part; row < part + 4 * kCopiedRows; row += kCopiedRows) {
        const bool valid = first + row < left;
        const int key = valid ? block * T::kBlockN + first + row : 0;
        copy_async_16(to + static_cast<uint32_t>(row) * T::kRowBytes, from + key * stride, valid);
      }
    }
    arrive_when_copied(full(place.stage));
    place.next();
  }

  E4J_DEVICE void consume(int consumer, int blocks) {
    OnlineSoftmax<T> softmax;
    Tiles out = {}, scores = {};
    uint32_t p[T::kBlockN / 16][4];
    Place place;
    wait_barrier(full(place.stage), place.parity);
    fence_async();
    multiply_keys(scores[0], consumer, place.stage);
    wait_products<0>(scores[0]);
    release(place.stage);
    mask(scores, blocks - 1);
    E4J_UNROLL
    for (int r = 0; r < 2; ++r) softmax.add_row(r, scores, call_.log2_scale);
    round(scores, p);

    // Turns: consumer 0 issues its products first, and each lets the other go when its own are issued.
    if (consumer == 1 && blocks > 1) arrive_named(kTurn, T::kConsumers * kWarpgroupSize);
    E4J_NO_UNROLL
    for (int block = blocks - 2; block >= 0; --block) {
      place.next();
      const int keys = place.stage;
      wait_barrier(full(keys), place.parity);
      place.next();
      const int values = place.stage;  // of the block before
      wait_barrier(full(values), place.parity);
      fence_async();
      sync_named(kTurn + consumer, T::kConsumers * kWarpgroupSize);
      multiply_keys(scores[0], consumer, keys);
      multiply_values(p, out[0], values);
      if (consumer == 0 || block > 0) arrive_named(kTurn + 1 - consumer, T::kConsumers * kWarpgroupSize);

      wait_products<1>(scores[0]);
      release(keys);
      float factor[2];
      E4J_UNROLL
      for (int r = 0; r < 2; ++r) factor[r] = softmax.add_row(r, scores, call_.log2_scale);
      computed_here(softmax.sum[0] + softmax.sum[1]);  // while the values' products run
      wait_products<0>(out[0]);
      release(values);
      E4J_UNROLL
      for (int r = 0; r < 2; ++r) softmax.scale_row(r, out, factor[r]);
      round(scores, p);
    }
    place.next();
    wait_barrier(full(place.stage), place.parity);
    fence_async();
    multiply_values(p, out[0], place.stage);
    wait_products<0>(out[0]);
    softmax.finish(out);
    // Every warp's products are done with the warpgroup's rows of q, through which results are stored.
    sync_named(kOwnRows + consumer, kWarpgroupSize);
    TileRows<T>::store(out);
  }

  // This warp's products have read what is there: wait_products has told all its lanes.
  E4J_DEVICE void release(int stage) {
    if (lane() == 0) arrive(empty(stage));
  }

  // scores = q k^T of this warpgroup's rows
  E4J_DEVICE void multiply_keys(float (&scores)[16][4], int consumer, int stage) {
    const uint64_t q = matrix_descriptor(base_ + static_cast<uint32_t>(consumer * T::kGroupRows) * T::kRowBytes, 8 * T::kRowBytes);
    const uint64_t k = matrix_descriptor(block_at(stage), 8 * T::kRowBytes);
    begin_products(scores);
    E4J_UNROLL
    for (int step = 0; step < T::kHeadDim / 16; ++step) {
      const uint32_t later = static_cast<uint32_t>(step / 4) * T::kHalfBytes + static_cast<uint32_t>(step % 4) * 32;
      if (step == 0) product<false>(scores, q, k);
      else product<true>(scores, descriptor_later(q, later), descriptor_later(k, later));
    }
    commit_products();
  }
  // out += p v of this warpgroup's rows
  E4J_DEVICE void multiply_values(uint32_t (&p)[T::kBlockN / 16][4], float (&out)[16][4], int stage) {
    const uint64_t v = matrix_descriptor(block_at(stage), 8 * T::kRowBytes, T::kHalfBytes);
    begin_products(out, p);
    E4J_UNROLL
    for (int step = 0; step < T::kBlockN / 16; ++step)
      product_values(out, p[step], descriptor_later(v, static_cast<uint32_t>(step) * 16 * T::kRowBytes));
    commit_products();
  }
  // Two neighbouring tiles of probabilities, rounded to bf16, are one operand of 16 keys.
  E4J_DEVICE static void round(const Tiles& scores, uint32_t (&p)[T::kBlockN / 16][4]) {
    E4J_UNROLL
    for (int step = 0; step < T::kBlockN / 16; ++step) {
      E4J_UNROLL
      for (int i = 0; i < 4; ++i) p[step][i] = pack_bf16(scores[0][2 * step + i / 2][i % 2 * 2], scores[0][2 * step + i / 2][i % 2 * 2 + 1]);
    }
  }

  E4J_DEVICE void mask(Tiles& scores, int block) {
    const int row0 = first_row() + first_of_warp() + lane() / 4;
    const int first_key = block * T::kBlockN + lane() % 4 * 2;
    E4J_UNROLL
    for (int n = 0; n < T::kTilesN; ++n) {
      E4J_UNROLL
      for (int i = 0; i < 4; ++i)
        if (!visible<T>(first_key + n * 8 + i % 2, row0 + i / 2 * 8, call_.group, tile().length)) scores[0][n][i] = OnlineSoftmax<T>::kNone;
    }
  }
};

}  // namespace e4j::cuda
