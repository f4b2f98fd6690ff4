// Linear layers on a GPU: weights as bf16, as stored or both (memory_plan.h), adapters as bf16.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "cuda/cuda_memory.h"
#include "cuda/memory_plan.h"
#include "ops/ops.h"

namespace e4j::cuda {

// Columns from `first` on, counted from the first of W or x.
struct Columns {
  int first, count;
};

// A row of bf16 weights W, or of the inputs x that they are multiplied with, and beside it a slot for each adapter:
//   .. | 2 | 0 | W or x | 1 | 3 | ..
// In a slot of the weights lies B, in that of an input t = scale * A x, and zeros in the slots between it and x. So W x + B t is one
// product, over the columns from one end of W to the far end of the slot. Slots and W are multiples of kPadding.
struct RowLayout {
  int cols = 0;  // of W or x
  int slot = 0;  // 0: no adapter lies here
  int left = 0, right = 0;

  // As many slots of `slot` columns as there are adapters.
  static RowLayout of(int cols, int slot, int adapters) noexcept;
  int64_t stride() const noexcept { return int64_t{left} + cols + right; }
  int slot_at(int adapter) const noexcept;
  // From the far end of the slot to W or x: what A x is written to.
  Columns beside(int adapter) const noexcept;
  // What a product with the adapter (-1: without one) multiplies.
  Columns multiplied(int adapter) const noexcept;
};

// Layers with one input, side by side so that one product computes all of them: outputs of member i are the columns from its
// `first` on. Everything is padded with zeros as memory_plan.h says.
struct LinearGroup {
  RowLayout layout;                                   // of `expanded` and of inputs; cols: in_features, padded
  int out_padded = 0, rank_padded = 0;                // sums over the members; rank: of the widest adapter
  bool has_stored = false;                            // of every member
  std::unique_ptr<DeviceMemory> expanded;             // bf16 [out_padded][layout.stride()], or null
  std::unique_ptr<DeviceMemory> fp8, fp8_scales;      // in its place: e4m3 [out_padded][cols], and as QuantizeRows has them
  bool scale_rows = false;                            // of fp8
  std::unique_ptr<DeviceMemory> bias_f32, bias_bf16;  // [out_padded], or null
  struct Adapter {
    // bf16 [rank_padded][cols]: the members' A under one another. Where they lie beside weights, [beside's columns][cols]: A from
    // first_row on, zeros elsewhere.
    std::unique_ptr<DeviceMemory> a;
    int first_row = 0, rank_padded = 0;
    float scale = 0;
  };
  std::vector<Adapter> adapters;  // by adapter index

  // In `expanded`, col counted from the first of W.
  uint16_t* weights(int row, int col) const noexcept { return expanded->as<uint16_t>() + row * layout.stride() + layout.left + col; }
};

class CudaLinear final : public Linear {
 public:
  std::shared_ptr<LinearGroup> group;
  size_t place = 0;  // among the members
  size_t members = 1;
  int first = 0, out_padded = 0;
  std::unique_ptr<DeviceMemory> stored;  // packed (quant_matmul.h), or null
  struct Adapter {
    uint16_t* b = nullptr;  // bf16 [out_padded][b_stride], of which rank_padded columns are meant
    int64_t b_stride = 0;
    std::unique_ptr<DeviceMemory> memory;  // of b, unless it lies beside W
    int first_rank = 0, rank_padded = 0;
  };
  std::vector<Adapter> adapters;  // by adapter index
};

// Copies weights to the device and brings them into their form there.
class WeightLoader {
 public:
  // scale_rows: of e4m3 weights, each; else all of a group.
  WeightLoader(const Device& device, bool scale_rows);
  ~WeightLoader();
  WeightLoader(const WeightLoader&) = delete;

  std::vector<std::unique_ptr<Linear>> load(std::span<const LinearSource> sources, WeightForm form);
  // Rows of any stored type as bf16 [rows][out_stride], of which `cols` columns are written (if odd, a zero more). Finished when it
  // returns.
  void expand(DType type, const std::byte* data, int rows, int cols, uint16_t* out, int64_t out_stride);
  std::unique_ptr<DeviceMemory> floats(std::span<const float> values);

 private:
  void make_room(std::span<const LinearSource> sources, LinearGroup& group);
  void load_bias(std::span<const LinearSource> sources, LinearGroup& group);
  void load_adapter(int index, std::span<const LinearSource> sources, LinearGroup& group, std::span<CudaLinear* const> members);
  void load_fp8(std::span<const LinearSource> sources, LinearGroup& group, std::span<CudaLinear* const> members);
  std::unique_ptr<DeviceMemory> zeros(size_t bytes);

  const Device& device_;
  Stream stream_ = nullptr;
  DeviceScratch raw_, bf16_;
  bool scale_rows_;
};

// The parts of `segments` that lie in rows [first, first + rows), counted from `first`.
std::vector<AdapterSegment> clipped(std::span<const AdapterSegment> segments, int first, int rows);
// The same rows' runs: every one of [0, rows) is in one, -1 where no segment has it, and neighbours differ in their adapter.
std::vector<AdapterSegment> filled(std::span<const AdapterSegment> segments, int rows);

}  // namespace e4j::cuda
