// Weights as the products read them: panels (tensor/packed.h), copied out of a file at load or used where it is mapped.
#pragma once
#include <cstddef>

#include "base/buffer.h"
#include "cpu/kernels.h"
#include "tensor/packed.h"

namespace e4j {
class ThreadPool;
}

namespace e4j::cpu {

inline bool is_quantised(DType t) noexcept { return t != DType::F32 && t != DType::F16 && t != DType::BF16; }

struct PackedMatrix {
  DType type = DType::F32;
  int n = 0, k = 0;         // y[n] = sum over k
  int panels = 0;           // n / 16, rounded up
  size_t panel_bytes = 0;
  const std::byte* data = nullptr;  // [panels][panel_bytes]
  Buffer copy;                      // which holds it, unless a file does

  size_t bytes() const noexcept { return static_cast<size_t>(panels) * panel_bytes; }
  const std::byte* panel(int p) const noexcept { return data + static_cast<size_t>(p) * panel_bytes; }
};

// rows: [n][row_bytes(type, k)], as GGUF stores a tensor.
PackedMatrix pack_matrix(DType type, int n, int k, const std::byte* rows, ThreadPool& pool);
// panels: [packed_bytes(type, n, k)] of a mapped file, used where they are: they must outlive the matrix.
PackedMatrix packed_matrix(DType type, int n, int k, const std::byte* panels, ThreadPool& pool);

}  // namespace e4j::cpu
