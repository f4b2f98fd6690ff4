// Linear layers on a GPU: weights as bf16, as stored or both (memory_plan.h), adapters as bf16.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "cuda/cuda_memory.h"
#include "cuda/memory_plan.h"
#include "ops/ops.h"

namespace e4j::cuda {

// Layers with one input, side by side so that one product computes all of them: outputs of member i are the columns from its
// `first` on. Everything is padded with zeros as memory_plan.h says.
struct LinearGroup {
  int in_padded = 0, out_padded = 0, rank_padded = 0;  // out, rank: sums over the members
  bool has_stored = false;                             // of every member
  std::unique_ptr<DeviceMemory> expanded;              // bf16 [out_padded][in_padded], or null
  std::unique_ptr<DeviceMemory> fp8, fp8_scales;       // in its place: e4m3 [out_padded][in_padded], and as QuantizeRows has them
  std::unique_ptr<DeviceMemory> bias_f32, bias_bf16;   // [out_padded], or null
  struct Adapter {
    std::unique_ptr<DeviceMemory> a;  // bf16 [rank_padded of this adapter][in_padded]: the members' A under one another
    int rank_padded = 0;
    float scale = 0;
  };
  std::vector<Adapter> adapters;  // by adapter index
};

class CudaLinear final : public Linear {
 public:
  std::shared_ptr<LinearGroup> group;
  size_t place = 0;  // among the members
  size_t members = 1;
  int first = 0, out_padded = 0;
  std::unique_ptr<DeviceMemory> stored;  // packed (quant_matmul.h), or null
  struct Adapter {
    std::unique_ptr<DeviceMemory> b;  // bf16 [out_padded][rank_padded]
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
  void expand(DType type, const std::byte* data, int rows, int cols, uint16_t* out, int out_stride);
  std::unique_ptr<DeviceMemory> floats(std::span<const float> values);

 private:
  void load_bias(std::span<const LinearSource> sources, LinearGroup& group);
  void load_adapter(size_t index, std::span<const LinearSource> sources, LinearGroup& group, std::span<CudaLinear* const> members);
  void load_fp8(std::span<const LinearSource> sources, LinearGroup& group, std::span<CudaLinear* const> members);
  std::unique_ptr<DeviceMemory> zeros(size_t bytes);

  const Device& device_;
  Stream stream_ = nullptr;
  DeviceScratch raw_, bf16_;
  bool scale_rows_;
};

// The parts of `segments` that lie in rows [first, first + rows), counted from `first`.
std::vector<AdapterSegment> clipped(std::span<const AdapterSegment> segments, int first, int rows);

}  // namespace e4j::cuda
