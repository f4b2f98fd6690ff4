// Which keys a tile visits and which a row may see. Row r of a tile is a (token, head) pair; the heads of one key/value head
// follow each other, so token = r / group.
#pragma once
#include "cuda/flash_attention/traits.h"

namespace e4j::cuda {

// The keys that a tile needs lie in blocks [0, key_blocks).
template <class Traits>
E4J_HOST_DEVICE int key_blocks(int length, int group, int m_block) {
  constexpr int n = Traits::kBlockN;
  if (!Traits::kCausal) return (length + n - 1) / n;
  const int last_token = ((m_block + 1) * Traits::kBlockM - 1) / group;
  return (last_token < length ? last_token : length - 1) / n + 1;
}

// Whether some row of the tile may not see some key of the block: where causal, the first row not its last key.
template <class Traits>
E4J_HOST_DEVICE bool needs_mask(int block, int length, int group, int m_block) {
  const int end = (block + 1) * Traits::kBlockN;
  return Traits::kCausal ? (end - 1) * group > m_block * Traits::kBlockM : end > length;
}

// Whether row `row` of the sequence and key/value head sees a key: key <= row / group where causal, without the division. Keys
// beyond the sequence are zeros; only rows beyond it, which are not stored, see them.
template <class Traits>
E4J_HOST_DEVICE bool visible(int key, int row, int group, int length) {
  return Traits::kCausal ? key * group <= row : key < length;
}

}  // namespace e4j::cuda
