// Linear layers on the CPU: activations in the forms the weights need, and products by tiles with an epilogue.
#pragma once
#include <vector>

#include "base/thread_pool.h"
#include "cpu/packed_matrix.h"
#include "ops/ops.h"

namespace e4j::cpu {

// The forms in which a product may need its activations.
struct Forms {
  bool f32 = false, bf16 = false, quant = false;
  void add(DType weight) noexcept {
    (weight == DType::BF16 ? bf16 : is_quantised(weight) ? quant : f32) = true;
  }
  void add(const Forms& o) noexcept { f32 |= o.f32, bf16 |= o.bf16, quant |= o.quant; }
};

class CpuLinear final : public Linear {
 public:
  struct Adapter {
    PackedMatrix a;  // [rank][in_features]
    PackedMatrix b;  // [out_features][rank]
    float scale;
  };
  std::string name;
  PackedMatrix weight;
  std::vector<float> bias;        // [panels * 16], zero beyond out_features; empty: none
  std::vector<Adapter> adapters;  // by adapter index
  Forms forms;                    // of the input
  int max_rank = 0;               // widest adapter, rounded up to a panel
};

std::unique_ptr<CpuLinear> make_cpu_linear(const LinearSource& source, ThreadPool& pool);

// Up to `rows` activation rows in every form their readers need. Strides are in elements and 64-byte multiples.
struct Activation {
  int rows = 0, cols = 0;
  Forms forms;
  size_t stride = 0;        // of f32, bf16 and quant
  size_t scale_stride = 0;  // of scale, sum and offset; of half_offset twice that
  Buffer f32_buffer, bf16_buffer, quant_buffer, scale_buffer, sum_buffer, offset_buffer, half_offset_buffer;

  void shape(int new_rows, int new_cols, const Forms& needed);
  float* f32(int row) noexcept { return f32_buffer.as<float>() + static_cast<size_t>(row) * stride; }
  uint16_t* bf16(int row) noexcept { return bf16_buffer.as<uint16_t>() + static_cast<size_t>(row) * stride; }
  int8_t* quant(int row) noexcept { return quant_buffer.as<int8_t>() + static_cast<size_t>(row) * stride; }
  float* scale(int row) noexcept { return scale_buffer.as<float>() + static_cast<size_t>(row) * scale_stride; }
  float* sum(int row) noexcept { return sum_buffer.as<float>() + static_cast<size_t>(row) * scale_stride; }
  int32_t* offset(int row) noexcept { return offset_buffer.as<int32_t>() + static_cast<size_t>(row) * scale_stride; }
  int32_t* half_offset(int row) noexcept { return half_offset_buffer.as<int32_t>() + static_cast<size_t>(row) * 2 * scale_stride; }

  // Converts values[count] into columns [col, col + count) of a row. For the quantised form col is a multiple of 32, and so
  // is count except at the end of the row, where zeros follow.
  void put(const Kernels& kernels, int row, int col, int count, const float* values) noexcept;
};

// Low-rank products A_t x of one linear layer for a block of rows, one row range per segment, ready for B_t.
struct Shrunk {
  Activation value;  // [rows][max_rank], scaled
};

inline constexpr int kTileCols = kMaxPanels * kPanelRows;  // 64
inline constexpr int kTileRows = 256;

// Per-thread memory of a tile's computation.
struct TileScratch {
  alignas(64) float c[2][kTileRows * kTileCols];
  ExpandedPanel panels[kMaxPanels];
};

// A_t x of every linear for the rows of `x`, whose first row is row `first` of the batch that `segments` describes.
void shrink(const Kernels&, ThreadPool&, std::span<TileScratch* const> scratch, Activation& x, int first,
            std::span<const CpuLinear* const> linears, std::span<const AdapterSegment> segments, std::span<Shrunk> out);

// The panels a thread will probably take after these.
struct NextPanels {
  const PackedMatrix* matrix = nullptr;  // null: not known
  int panel = 0;
};

// c[rows][kTileCols] = columns [16 * panel, ...) of the linear layer for rows [row, row + rows) of x, bias and adapters in.
void product_tile(const Kernels&, const CpuLinear&, Activation& x, Shrunk* shrunk, int first, int row, int rows, int panel,
                  int panels, std::span<const AdapterSegment> segments, const NextPanels&, TileScratch&, float* c) noexcept;

}  // namespace e4j::cpu
