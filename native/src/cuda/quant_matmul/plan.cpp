#include "cuda/quant_matmul/traits.h"

namespace e4j::cuda {
namespace {

template <class Traits>
MatmulPlan plan_for(int m, int n, int k, int multiprocessors) {
  MatmulPlan plan{};
  plan.block_m = Traits::kBlockM;
  plan.blocks_m = (m + Traits::kBlockM - 1) / Traits::kBlockM;
  plan.blocks_n = (n + Traits::kBlockN - 1) / Traits::kBlockN;
  const int64_t blocks = static_cast<int64_t>(plan.blocks_m) * plan.blocks_n, wanted = int64_t{2} * multiprocessors;
  const int64_t sums_bytes = blocks * Traits::kBlockM * Traits::kBlockN * static_cast<int64_t>(sizeof(float));
  // A step is a unit for every warp that shares K. Two at least to a split: its loop starts by filling the ring.
  const int steps = (k + kUnitK * Traits::kWarpsK - 1) / (kUnitK * Traits::kWarpsK);
  int64_t splits = 1;
  if (blocks < wanted && blocks <= kMatmulCounters)
    splits = std::min({(wanted + blocks - 1) / blocks, int64_t{steps / 2}, static_cast<int64_t>(kMatmulWorkspaceBytes - kPartialsAt) / sums_bytes});
  const int each = splits <= 1 ? steps : (steps + static_cast<int>(splits) - 1) / static_cast<int>(splits);
  plan.units = each * Traits::kWarpsK;
  plan.splits = (steps + each - 1) / each;  // so none is empty
  return plan;
}

}  // namespace

// The shapes are the same for every format.
MatmulPlan plan_matmul(int m, int n, int k, int multiprocessors) {
  if (m <= Rows16<RowFormat>::kBlockM) return plan_for<Rows16<RowFormat>>(m, n, k, multiprocessors);
  if (m <= Rows64<RowFormat>::kBlockM) return plan_for<Rows64<RowFormat>>(m, n, k, multiprocessors);
  return plan_for<Rows128<PackedFormat<DType::Q8_0>>>(m, n, k, multiprocessors);
}

}  // namespace e4j::cuda
