#include <algorithm>

#include "base/status.h"
#include "cuda/flash_attention/mask.h"

namespace e4j::cuda {
namespace {

template <class Traits>
std::vector<AttentionTile> tiles(std::span<const int32_t> cu_seqlens, int group, int num_kv_heads) {
  std::vector<AttentionTile> all;
  for (size_t s = 0; s + 1 < cu_seqlens.size(); ++s) {
    const int length = cu_seqlens[s + 1] - cu_seqlens[s];
    const int blocks = (length * group + Traits::kBlockM - 1) / Traits::kBlockM;
    for (int block = 0; block < blocks; ++block)
      for (int head = 0; head < num_kv_heads; ++head) all.push_back({cu_seqlens[s], length, head, block});
  }
  std::stable_sort(all.begin(), all.end(), [group](const AttentionTile& a, const AttentionTile& b) {
    return key_blocks<Traits>(a.length, group, a.m_block) > key_blocks<Traits>(b.length, group, b.m_block);
  });
  return all;
}

}  // namespace

AttentionPlan plan_attention(std::span<const int32_t> cu_seqlens, int num_heads, int num_kv_heads, int head_dim, bool causal) {
  E4J_CHECK(!cu_seqlens.empty() && num_kv_heads > 0 && num_heads % num_kv_heads == 0);
  const int group = num_heads / num_kv_heads;
  int longest = 0;
  for (size_t s = 0; s + 1 < cu_seqlens.size(); ++s) {
    E4J_CHECK(cu_seqlens[s] <= cu_seqlens[s + 1]);
    longest = std::max(longest, cu_seqlens[s + 1] - cu_seqlens[s]);
  }
  if (group > kMaxGroup) fail(E4J_UNSUPPORTED, "%d query heads per key/value head, supported: up to %d", group, kMaxGroup);
  if (longest > kMaxTokens) fail(E4J_UNSUPPORTED, "a sequence of %d tokens, supported: up to %d", longest, kMaxTokens);
  if (head_dim == 128 && causal) return {AttentionKernel::kCausal128, tiles<Causal128>(cu_seqlens, group, num_kv_heads)};
  if (head_dim == 80 && !causal && longest * group <= kWindowTokens)
    return {AttentionKernel::kWindow80, tiles<Window80>(cu_seqlens, group, num_kv_heads)};
  if (head_dim == 80 && !causal) return {AttentionKernel::kFull80, tiles<Full80>(cu_seqlens, group, num_kv_heads)};
  fail(E4J_UNSUPPORTED, "%s attention with head size %d, supported on this device: causal with 128, not causal with 80",
       causal ? "causal" : "full", head_dim);
}

}  // namespace e4j::cuda
