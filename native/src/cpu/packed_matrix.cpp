#include "cpu/packed_matrix.h"

#include <algorithm>

#include "base/thread_pool.h"

namespace e4j::cpu {

PackedMatrix packed_matrix(DType type, int n, int k, const std::byte* panels) {
  return {type, n, k, (n + kPanelRows - 1) / kPanelRows, panel_bytes(type, k), panels, {}};
}

PackedMatrix pack_matrix(DType type, int n, int k, const std::byte* rows, ThreadPool& pool) {
  Buffer copy(packed_bytes(type, n, k));
  PackedMatrix m = packed_matrix(type, n, k, copy.data());
  const size_t row = row_bytes(type, k);
  pool.parallel_for(m.panels, [&](int p, int) {
    pack_rows(type, rows + static_cast<size_t>(p) * kPanelRows * row, std::min(kPanelRows, n - p * kPanelRows), k,
              copy.data() + static_cast<size_t>(p) * m.panel_bytes);
  });
  m.copy = std::move(copy);
  return m;
}

}  // namespace e4j::cpu
