#include "cpu/packed_matrix.h"

#include <algorithm>

#include "base/mapped_file.h"
#include "base/status.h"
#include "base/thread_pool.h"

namespace e4j::cpu {
namespace {

PackedMatrix view(DType type, int n, int k, const std::byte* panels) {
  return {type, n, k, (n + kPanelRows - 1) / kPanelRows, panel_bytes(type, k), panels, {}};
}

}  // namespace

PackedMatrix packed_matrix(DType type, int n, int k, const std::byte* panels, ThreadPool& pool) {
  PackedMatrix m = view(type, n, k, panels);
  pool.for_parts(m.bytes(), [&](size_t at, size_t count) { fault_in(panels + at, count); });
  return m;
}

PackedMatrix pack_matrix(DType type, int n, int k, const std::byte* rows, ThreadPool& pool) {
  PackedMatrix m = view(type, n, k, nullptr);
  m.copy = Buffer(checked_mul(static_cast<size_t>(m.panels), m.panel_bytes, "packed matrix"));
  m.data = m.copy.data();
  const size_t row = row_bytes(type, k);
  pool.parallel_for(m.panels, [&](int p, int) {
    pack_rows(type, rows + static_cast<size_t>(p) * kPanelRows * row, std::min(kPanelRows, n - p * kPanelRows), k,
              m.copy.data() + static_cast<size_t>(p) * m.panel_bytes);
  });
  return m;
}

}  // namespace e4j::cpu
