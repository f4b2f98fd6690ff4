// Softmax attention over packed sequences of different lengths: FlashAttention-2's algorithm (Dao, arXiv 2307.08691) on
// mma.sync tensor cores, for sm_80 and later. What the host calls; the kernel is in kernel.h, that of sm_90a's warpgroups in
// wgmma_kernel.h.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#if defined(E4J_CUDA)
#include <cuda_runtime_api.h>
#endif

namespace e4j::cuda {

// One thread block's work: kBlockM rows of the (token, query head) pairs of one sequence and key/value head. Pair r is token
// r / group, head kv_head * group + r % group; the first is m_block * kBlockM. A tile of length 0 does nothing, so that a list
// may be padded to a fixed count.
struct AttentionTile {
  int32_t first_row;  // of the sequence, in q, k and v
  int32_t length;     // tokens of the sequence
  int32_t kv_head;
  int32_t m_block;
};
static_assert(sizeof(AttentionTile) == 16);

inline constexpr int kMaxGroup = 64;         // query heads of a key/value head
inline constexpr int kMaxTokens = 1 << 24;  // of a sequence

enum class AttentionKernel : int32_t {
  kCausal128,  // head size 128, causal: the text decoder
  kFull80,     // head size 80, every token sees its whole sequence: the vision tower's full layers
  kWindow80,   // the same where no sequence is longer than 64: its windows
  kCausal128Wgmma,  // kCausal128 on the warpgroups of compute capability 9.0, where that is asked for: the same tiles
};

struct AttentionPlan {
  AttentionKernel kernel;
  std::vector<AttentionTile> tiles;  // those with most keys to visit first
};

// cu_seqlens [sequences + 1], not decreasing; num_heads a multiple of num_kv_heads. Fails with E4J_UNSUPPORTED beyond the limits
// above and for a head size and mask that no kernel has (128 causal and 80 not causal exist). Empty sequences get no tile.
AttentionPlan plan_attention(std::span<const int32_t> cu_seqlens, int num_heads, int num_kv_heads, int head_dim, bool causal);

// All pointers into device memory, 16-byte aligned; strides in elements, multiples of 8.
struct FlashAttention {
  AttentionKernel kernel;
  const AttentionTile* tiles;  // [tile_count]
  int tile_count;
  int num_heads, num_kv_heads;
  float softmax_scale;
  const uint16_t *q, *k, *v;   // bf16; q [rows][num_heads * head_dim], k, v [rows][num_kv_heads * head_dim]
  int64_t q_stride, k_stride, v_stride;
  uint16_t* out_bf16;          // [rows][num_heads * head_dim]: one of the two, the other null. out_bf16 may be q.
  float* out_f32;
  int64_t out_stride;

  bool operator==(const FlashAttention&) const = default;
};

#if defined(E4J_CUDA)
// Once per device, before the first launch there (shared memory beyond 48 KiB must be asked for).
cudaError_t prepare_flash_attention();
// One kernel on `stream`; allocates nothing and may be captured in a graph.
cudaError_t launch_flash_attention(const FlashAttention& call, cudaStream_t stream);
#endif

}  // namespace e4j::cuda
