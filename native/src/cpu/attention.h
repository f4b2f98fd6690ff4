// Softmax attention on the CPU, FlashAttention-2 style: an online softmax over blocks of keys, so no S x S matrix exists.
// (Dao, "FlashAttention-2", arXiv 2307.08691, algorithm 1.)
#pragma once
#include <vector>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "cpu/kernels.h"
#include "ops/ops.h"

namespace e4j::cpu {

inline constexpr int kBlockM = 96;   // query rows of a tile: tokens x the query heads of one key/value head
inline constexpr int kBlockN = 128;  // keys of a block, counted from the sequence's first key

class Attention {
 public:
  void run(const Kernels& kernels, ThreadPool& pool, Rows q, Rows k, Rows v, std::span<const int32_t> cu_seqlens,
           const AttentionShape& shape);

 private:
  struct Tile {
    int sequence, head;  // key/value head
    int begin, end;      // tokens, from the sequence's first
  };
  template <class Element>
  struct Scratch;

  // Keys and values of every sequence and key/value head as panels (kernels.h) of Element, each sequence padded to whole
  // panels: keys_ [heads][padded_tokens / 16][head_dim][16]; values_ per head and sequence [head_dim / 16][padded_length][16].
  // As bf16, neighbours along the summed dimension lie in pairs.
  template <class Element>
  void pack(const Kernels& kernels, ThreadPool& pool, Rows k, Rows v, std::span<const int32_t> cu_seqlens, const AttentionShape& shape);
  template <class Element>
  void run_tiles(const Kernels& kernels, ThreadPool& pool, Rows q, std::span<const int32_t> cu_seqlens, const AttentionShape& shape);
  template <class Element>
  void run_tile(const Kernels& kernels, const Tile& tile, Rows q, std::span<const int32_t> cu_seqlens,
                const AttentionShape& shape, Scratch<Element>& scratch) noexcept;
  // Elements before the panels of a key/value head and sequence, in keys_ and in values_.
  size_t panels_at(int head, int sequence, int head_dim) const noexcept;

  Buffer keys_, values_, scratch_;
  std::vector<int> padded_;  // first padded token of each sequence, and the total
  std::vector<Tile> tiles_;
};

}  // namespace e4j::cpu
