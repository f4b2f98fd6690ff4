#include "cpu/packed_matrix.h"

#include <algorithm>

#include "base/mapped_file.h"
#include "base/thread_pool.h"

namespace e4j::cpu {
namespace {

PackedMatrix view(DType type, int n, int k, const std::byte* panels) {
  return {type, n, k, (n + kPanelRows - 1) / kPanelRows, panel_bytes(type, k), panels, {}};
}

}  // namespace

PackedMatrix packed_matrix(DType type, int n, int k, const std::byte* panels, ThreadPool& pool) {
  constexpr size_t kPart = size_t{4} << 20;
  PackedMatrix m = view(type, n, k, panels);
  const size_t bytes = m.bytes();
  pool.parallel_for(static_cast<int>((bytes + kPart - 1) / kPart), [&](int part, int) {
    const size_t at = static_cast<size_t>(part) * kPart;
    fault_in(panels + at, std::min(kPart, bytes - at));
  });
  return m;
}

PackedMatrix pack_matrix(DType type, int n, int k, const std::byte* rows, ThreadPool& pool) {
  Buffer copy(packed_bytes(type, n, k));
  PackedMatrix m = view(type, n, k, copy.data());
  const size_t row = row_bytes(type, k);
  pool.parallel_for(m.panels, [&](int p, int) {
    pack_rows(type, rows + static_cast<size_t>(p) * kPanelRows * row, std::min(kPanelRows, n - p * kPanelRows), k,
              copy.data() + static_cast<size_t>(p) * m.panel_bytes);
  });
  m.copy = std::move(copy);
  return m;
}

}  // namespace e4j::cpu
