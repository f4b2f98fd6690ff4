// How a model's memory is divided before its first weight is loaded. Plain arithmetic.
#pragma once
#include <cstdint>
#include <string>

#include "ops/ops.h"

namespace e4j::cuda {

// Rows of matrices and their columns are padded to multiples of this with zeros: 64 bf16 are 128 bytes, so every row and every
// matrix beside another starts where cuBLAS's fastest kernels may read it. (A vision tower's 3,420 become 3,456.)
inline constexpr int kPadding = 64;
// Ranks of adapters: 16 bytes.
inline constexpr int kRankPadding = 8;
// Columns that adapters may take on either side of bf16 weights and of their inputs (RowLayout in cuda_linear.h). They spare a product
// one more reading and writing of y, which takes as long as about 290 columns (one_by_one in cuda_products.cpp has the rates).
inline constexpr int kMostBeside = 512;
// Rows that go through a layer's products at once, so that their intermediates are bounded. Adapters read x twice, 3 % of a layer's
// time; but 2,000 rows of down's x fill 50 MB of L2, and products of 2,048 outputs then have less than a wave of tiles.
inline constexpr int kChunkRows = 16384;
// Tokens of a batch for which memory is kept free beside the weights.
inline constexpr int kPlannedTokens = 8192;

constexpr int padded(int n, int multiple) noexcept { return (n + multiple - 1) / multiple * multiple; }

// How quantised weights are held.
enum class WeightForm {
  kBoth,      // as bf16, and as stored for batches of few rows, which reading weights bounds
  kExpanded,  // as bf16
  kStored,    // as stored; products expand them on the way
  kFp8,       // the decoder's as e4m3, where that was asked for, the others as bf16
};
const char* weight_form_text(WeightForm form) noexcept;

struct MemoryPlan {
  WeightForm form;
  uint64_t weight_bytes;     // an estimate from above
  uint64_t workspace_bytes;  // for kPlannedTokens
};

// Scratch of one session for a batch of `tokens`, an estimate from above.
uint64_t workspace_bytes(const ModelSize& size, int tokens) noexcept;
// The first form whose weights and workspace fit into `free_bytes`; or `wanted`, if that fits: "expanded", "stored" or "both" (as
// far as the model has quantised weights), null for the choice. Fails with E4J_OUT_OF_MEMORY, saying what is needed and what is
// free, when none does; with E4J_INVALID_ARGUMENT for another word.
// fp8: that form and no other, for which `wanted` must be null or empty.
MemoryPlan plan_memory(const ModelSize& size, uint64_t free_bytes, const char* wanted = nullptr, bool fp8 = false);

// "1.5 GiB"
std::string bytes_text(uint64_t bytes);

}  // namespace e4j::cuda
