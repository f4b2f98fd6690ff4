// The attention of one tile by one thread block. FlashAttention-2's forward pass: scores of 64 keys at a time, an online
// softmax, and the product with the values straight from the scores' registers; keys and values are copied asynchronously, the
// next keys while the values' product runs, and the values while that of the keys does.
#pragma once
#include "cuda/flash_attention/mask.h"
#include "cuda/flash_attention/softmax.h"
#include "cuda/flash_attention/tile_rows.h"

namespace e4j::cuda {

template <class T>
class AttentionTileLoop : TileRows<T> {
  using TileRows<T>::base_, TileRows<T>::call_, TileRows<T>::first_row, TileRows<T>::kWarpRows, TileRows<T>::row_at, TileRows<T>::rows,
      TileRows<T>::tile;

 public:
  using Traits = T;
  E4J_DEVICE AttentionTileLoop(const AttentionArguments& call) : TileRows<T>(call) {}

  E4J_DEVICE void run() {
    const int end = key_blocks<T>(tile().length, call_.group, tile().m_block);

    copy_queries();
    copy_block(T::kKeysAt, call_.k, call_.k_stride, end - 1);
    commit_copies();
    OnlineSoftmax<T> softmax;
    float out[T::kTilesM][T::kTilesD][4] = {};
    // From the last block on: those that need the mask come first.
    for (int block = end - 1; block >= 0; --block) {
      wait_copies<0>();
      sync_threads();  // the keys are there, and everybody is done with the values before
      copy_block(T::kValuesAt, call_.v, call_.v_stride, block);
      commit_copies();

      float scores[T::kTilesM][T::kTilesN][4] = {};
      multiply_keys(scores);
      if (needs_mask<T>(block, tile().length, call_.group, tile().m_block)) mask(scores, block);

      wait_copies<0>();
      sync_threads();  // the values are there, and everybody is done with the keys
      softmax.add(scores, out, call_.log2_scale);
      // Not before the softmax, which has no registers to spare (sm_90a would spill one); the product hides the copy.
      if (block > 0) copy_block(T::kKeysAt, call_.k, call_.k_stride, block - 1);
      commit_copies();
      multiply_values(scores, out);
    }
    softmax.finish(out);
    TileRows<T>::store(out);
  }

 private:
  E4J_DEVICE void copy_queries() {
    E4J_UNROLL
    for (int i = 0; i < T::kBlockM * T::kChunks / T::kThreads; ++i) {
      const int index = thread() + i * T::kThreads, row = index / T::kChunks, chunk = index % T::kChunks;
      const bool valid = first_row() + row < rows();
      copy_async_16(base_ + swizzled<T::kHeadDim>(row, chunk), call_.q + (valid ? row_at(first_row() + row, call_.q_stride) + chunk * 8 : 0), valid);
    }
  }
  // Keys or values [64 * block, 64 * block + 64); zeros beyond the sequence.
  E4J_DEVICE void copy_block(uint32_t to, const uint16_t* from, int64_t stride, int block) {
    const int first = opaque(thread());
    E4J_NO_UNROLL
    for (int i = 0; i < T::kBlockN * T::kChunks / T::kThreads; ++i) {
      const int index = first + i * T::kThreads, row = index / T::kChunks, chunk = index % T::kChunks;
      const int key = block * T::kBlockN + row;
      const bool valid = key < tile().length;
      const int64_t at = (tile().first_row + (valid ? key : 0)) * stride + tile().kv_head * T::kHeadDim + chunk * 8;
      copy_async_16(base_ + to + swizzled<T::kHeadDim>(row, chunk), from + at, valid);
    }
  }

  // scores += q k^T of this warp's rows
  E4J_DEVICE void multiply_keys(float (&scores)[T::kTilesM][T::kTilesN][4]) {
    const int own_lane = opaque(lane()), matrix = own_lane / 8, row = own_lane % 8;
    const uint32_t q_at = base_ + swizzled<T::kHeadDim>(warp() * kWarpRows + matrix % 2 * 8 + row, matrix / 2);
    const uint32_t k_at = base_ + T::kKeysAt + swizzled<T::kHeadDim>(matrix / 2 * 8 + row, matrix % 2);
    E4J_UNROLL
    for (int step = 0; step < T::kHeadDim / 16; ++step) {
      const uint32_t q_step = later_chunk<T::kHeadDim>(q_at, 2 * step), k_step = later_chunk<T::kHeadDim>(k_at, 2 * step);
      uint32_t q[T::kTilesM][4];
      E4J_UNROLL
      for (int m = 0; m < T::kTilesM; ++m) load_matrix_x4(q[m], q_step + static_cast<uint32_t>(m) * 16 * T::kRowBytes);
      E4J_UNROLL
      for (int n = 0; n < T::kTilesN; n += 2) {
        uint32_t k[4];  // keys 8n .. 8n + 7: two halves of 8 values, then keys 8n + 8 ..
        load_matrix_x4(k, k_step + static_cast<uint32_t>(n) * 8 * T::kRowBytes);
        E4J_UNROLL
        for (int m = 0; m < T::kTilesM; ++m) {
          mma(scores[m][n], q[m], k[0], k[1]);
          mma(scores[m][n + 1], q[m], k[2], k[3]);
        }
      }
    }
  }

  E4J_DEVICE void mask(float (&scores)[T::kTilesM][T::kTilesN][4], int block) {
    const int row0 = opaque(first_row() + warp() * kWarpRows + lane() / 4);
    const int first_key = block * T::kBlockN + lane() % 4 * 2;
    E4J_UNROLL
    for (int n = 0; n < T::kTilesN; ++n) {
      E4J_UNROLL
      for (int i = 0; i < 2; ++i) {
        const int key = first_key + n * 8 + i;
        E4J_UNROLL
        for (int r = 0; r < 2 * T::kTilesM; ++r)
          if (!visible<T>(key, row0 + r / 2 * 16 + r % 2 * 8, call_.group, tile().length)) scores[r / 2][n][r % 2 * 2 + i] = OnlineSoftmax<T>::kNone;
      }
    }
  }

  // out += p v of this warp's rows: two neighbouring tiles of p, rounded to bf16, are one operand of 16 keys.
  E4J_DEVICE void multiply_values(const float (&p)[T::kTilesM][T::kTilesN][4], float (&out)[T::kTilesM][T::kTilesD][4]) {
    const int own_lane = opaque(lane()), matrix = own_lane / 8, row = own_lane % 8;
    const uint32_t v_at = base_ + T::kValuesAt + swizzled<T::kHeadDim>(matrix % 2 * 8 + row, matrix / 2);
    uint32_t a[T::kBlockN / 16][T::kTilesM][4];
    E4J_UNROLL
    for (int step = 0; step < T::kBlockN / 16; ++step) {
      E4J_UNROLL
      for (int m = 0; m < T::kTilesM; ++m) {
        E4J_UNROLL
        for (int i = 0; i < 4; ++i) a[step][m][i] = pack_bf16(p[m][2 * step + i / 2][i % 2 * 2], p[m][2 * step + i / 2][i % 2 * 2 + 1]);
      }
    }
    E4J_UNROLL
    for (int d = 0; d < T::kTilesD; d += 2) {
      const uint32_t v_d = later_chunk<T::kHeadDim>(v_at, d);
      E4J_UNROLL
      for (int step = 0; step < T::kBlockN / 16; ++step) {
        uint32_t v[4];  // values 8d .. 8d + 7 of 16 keys in two halves, then values 8d + 8 ..
        load_matrix_x4_transposed(v, v_d + static_cast<uint32_t>(step) * 16 * T::kRowBytes);
        E4J_UNROLL
        for (int m = 0; m < T::kTilesM; ++m) {
          mma(out[m][d], a[step][m], v[0], v[1]);
          mma(out[m][d + 1], a[step][m], v[2], v[3]);
        }
      }
    }
  }
};

}  // namespace e4j::cuda
