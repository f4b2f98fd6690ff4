// The products of linear layers with their adapters, queued on a session's stream.
#pragma once
#include <span>

#include "cuda/cuda_linear.h"
#include "cuda/cuda_workspace.h"

namespace e4j::cuda {

// x bf16 [rows][stride], its columns between the slots of its layers' layout (cuda_linear.h), which products write to.
struct Input {
  uint16_t* x;
  int rows;
  int64_t stride;

  Input at(int first, int count) const noexcept { return {x + first * stride, count, stride}; }
};
// Uninitialised memory for an input of such layers.
Input reserve_input(CudaWorkspace& ws, DeviceScratch& scratch, int rows, const RowLayout& layout);

// y [rows][stride]: one of the two.
struct Output {
  uint16_t* bf16;
  float* f32;
  int64_t stride;

  void* any() const noexcept { return f32 != nullptr ? static_cast<void*>(f32) : bf16; }
  size_t value_bytes() const noexcept { return f32 != nullptr ? sizeof(float) : sizeof(uint16_t); }
  Output at(int row, int col) const noexcept {
    const int64_t offset = row * stride + col;
    return {bf16 != nullptr ? bf16 + offset : nullptr, f32 != nullptr ? f32 + offset : nullptr, stride};
  }
};

// Whether `runs` runs of rows with different adapters are multiplied one by one, each with its adapter beside W, or all together after
// their adapters were added to y. y_bytes: of all their rows.
bool one_by_one(size_t runs, int64_t y_bytes, int k) noexcept;

// y = (or +=) the whole group of `members`, bias and adapters in. As bf16, y has the group's padded columns; as float32, the one
// member's own.
void multiply(CudaWorkspace& ws, std::span<const CudaLinear* const> members, const Input& x, const Output& y, bool accumulate,
              std::span<const AdapterSegment> segments);

}  // namespace e4j::cuda
