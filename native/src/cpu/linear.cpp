#include "cpu/linear.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"

namespace e4j::cpu {
namespace {

// K values of one pass over a tile: a panel's share stays in the first-level cache while the rows go by.
constexpr int kFloatPass = 512;

// Rows of a slice of the low-rank products, which have few columns to share out.
constexpr int kShrinkRows = 64;

constexpr size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

size_t element_bytes(DType type) noexcept { return type == DType::F32 ? 4 : 2; }

// What follows bytes [end, ...) of the panels: their own next `bytes`, or the first of the panels that come next.
Ahead ahead_of(const PackedMatrix& w, int panel, int panels, size_t end, size_t bytes, const NextPanels& next) noexcept {
  const bool own = end < w.panel_bytes;
  const PackedMatrix* m = own ? &w : next.matrix;
  Ahead ahead;
  if (m == nullptr) return ahead;
  const size_t begin = own ? end : 0;
  ahead.bytes = std::min(bytes, m->panel_bytes - begin);
  for (int p = 0; p < panels; ++p) ahead.data[p] = m->panel(std::min((own ? panel : next.panel) + p, m->panels - 1)) + begin;
  return ahead;
}

void float_product(const Kernels& kernels, const PackedMatrix& w, Activation& x, int row, int rows, int panel, int panels,
                   bool accumulate, const NextPanels& next, float* c) noexcept {
  const int k_total = w.type == DType::BF16 ? (w.k + 1) / 2 * 2 : w.k;
  GemmTile t{};
  t.m = rows;
  t.panels = panels;
  t.a_stride = x.stride;
  t.w_panel_stride = w.panel_bytes / element_bytes(w.type);
  t.c = c;
  t.c_stride = kTileCols;
  for (int k = 0; k < k_total; k += kFloatPass) {
    t.k = std::min(kFloatPass, k_total - k);
    t.accumulate = accumulate || k > 0;
    const size_t k_bytes = kPanelRows * element_bytes(w.type), begin = static_cast<size_t>(k) * k_bytes;
    t.w = w.panel(panel) + begin;
    t.ahead = ahead_of(w, panel, panels, begin + static_cast<size_t>(t.k) * k_bytes, kFloatPass * k_bytes, next);
    if (w.type == DType::BF16) {
      t.a = x.bf16(row) + k;
      kernels.gemm_bf16(t);
    } else {
      t.a = x.f32(row) + k;
      w.type == DType::F32 ? kernels.gemm_f32(t) : kernels.gemm_f16(t);
    }
  }
}

ExpandPanel expander(const Kernels& kernels, DType type) noexcept {
  switch (type) {
    case DType::Q4_K: return kernels.expand_q4_k;
    case DType::Q5_K: return kernels.expand_q5_k;
    case DType::Q6_K: return kernels.expand_q6_k;
    default: return kernels.expand_q8_0;
  }
}

void quant_product(const Kernels& kernels, const PackedMatrix& w, Activation& x, int row, int rows, int panel, int panels,
                   const NextPanels& next, ExpandedPanel* expanded, float* c) noexcept {
  const ExpandPanel expand = expander(kernels, w.type);
  const bool in_place = w.type == DType::Q8_0;
  QuantTile t{};
  t.m = rows;
  t.panels = panels;
  t.group = w.type == DType::Q6_K ? 16 : 32;
  t.minimums = w.type == DType::Q4_K || w.type == DType::Q5_K;
  t.a_stride = x.stride;
  t.a_scale_stride = x.scale_stride;
  t.a_offset_stride = t.group == 32 ? x.scale_stride : 2 * x.scale_stride;
  t.q_group_stride = static_cast<size_t>(t.group) * kPanelRows;
  t.w = expanded;
  t.c = c;
  t.c_stride = kTileCols;
  for (int k = 0; k < w.k; k += kChunk) {
    const int values = std::min(kChunk, w.k - k);
    for (int p = 0; p < panels; ++p) {
      const std::byte* packed = w.panel(panel + p) + static_cast<size_t>(k / kChunk) * packed_chunk_bytes(w.type);
      expand(packed, values / kQuantBlock, &expanded[p]);
      t.q[p] = in_place ? reinterpret_cast<const uint8_t*>(packed + 256) : &expanded[p].q[0][0][0];
    }
    t.groups = values / t.group;
    const size_t chunk = packed_chunk_bytes(w.type);
    t.ahead = ahead_of(w, panel, panels, static_cast<size_t>(k / kChunk + 1) * chunk, chunk, next);
    t.accumulate = k > 0;
    t.a = x.quant(row) + k;
    t.a_scale = x.scale(row) + k / kQuantBlock;
    t.a_sum = x.sum(row) + k / kQuantBlock;
    t.a_offset = (t.group == 32 ? x.offset(row) : x.half_offset(row)) + k / t.group;
    kernels.gemm_quant(t);
  }
}

void product(const Kernels& kernels, const PackedMatrix& w, Activation& x, int row, int rows, int panel, int panels,
             bool accumulate, const NextPanels& next, ExpandedPanel* expanded, float* c) noexcept {
  if (is_quantised(w.type))
    quant_product(kernels, w, x, row, rows, panel, panels, next, expanded, c);
  else
    float_product(kernels, w, x, row, rows, panel, panels, accumulate, next, c);
}

// body(begin, end, adapter) for the parts of rows [row, row + rows) of a block whose first row is `first` of the batch.
template <class Body>
void each_segment(std::span<const AdapterSegment> segments, int first, int row, int rows, Body&& body) {
  for (const AdapterSegment& s : segments) {
    const int begin = std::max(s.begin - first, row), end = std::min(s.end - first, row + rows);
    if (begin < end && s.adapter >= 0) body(begin, end, s.adapter);
  }
}

PackedMatrix matrix(DType type, int n, int k, const std::byte* weight, bool packed, ThreadPool& pool) {
  return packed ? packed_matrix(type, n, k, weight, pool) : pack_matrix(type, n, k, weight, pool);
}
PackedMatrix matrix(const GgufTensor& t, ThreadPool& pool) {
  return matrix(t.type, static_cast<int>(t.dims[1]), static_cast<int>(t.dims[0]), t.data, t.packed, pool);
}

}  // namespace

std::unique_ptr<CpuLinear> make_cpu_linear(const LinearSource& source, ThreadPool& pool) {
  auto linear = std::make_unique<CpuLinear>();
  linear->name = source.name;
  linear->type = source.type;
  linear->out_features = source.out_features;
  linear->in_features = source.in_features;
  linear->weight = matrix(source.type, source.out_features, source.in_features, source.weight, source.packed, pool);
  linear->forms.add(source.type);
  linear->bytes = linear->weight.bytes();
  if (source.bias != nullptr) {
    linear->bias.assign(static_cast<size_t>(linear->weight.panels * kPanelRows), 0.0f);
    std::copy_n(source.bias, source.out_features, linear->bias.begin());
  }
  for (const LoraSource& lora : source.adapters) {
    CpuLinear::Adapter adapter{matrix(*lora.a, pool), matrix(*lora.b, pool), lora.scale};
    E4J_CHECK(!is_quantised(adapter.a.type) && !is_quantised(adapter.b.type));
    linear->forms.add(adapter.a.type);
    linear->max_rank = std::max(linear->max_rank, adapter.a.panels * kPanelRows);
    linear->bytes += adapter.a.bytes() + adapter.b.bytes();
    linear->adapters.push_back(std::move(adapter));
  }
  return linear;
}

void Activation::shape(int new_rows, int new_cols, const Forms& needed) {
  rows = new_rows;
  cols = new_cols;
  forms = needed;
  stride = round_up(static_cast<size_t>(cols), 64);
  // An odd multiple of a cache line, so that rows do not all fall into the same cache sets.
  if (stride % 128 == 0) stride += 64;
  scale_stride = round_up(static_cast<size_t>(cols + kQuantBlock - 1) / kQuantBlock, 16);
  const size_t n = static_cast<size_t>(rows);
  if (forms.f32) f32_buffer.reserve(n * stride * 4);
  if (forms.bf16) bf16_buffer.reserve(n * stride * 2);
  if (forms.quant) {
    quant_buffer.reserve(n * stride);
    scale_buffer.reserve(n * scale_stride * 4);
    sum_buffer.reserve(n * scale_stride * 4);
    offset_buffer.reserve(n * scale_stride * 4);
    half_offset_buffer.reserve(n * scale_stride * 8);
  }
}

void Activation::put(const Kernels& kernels, int row, int col, int count, const float* values) noexcept {
  const bool last = col + count == cols;
  if (forms.f32) std::memcpy(f32(row) + col, values, static_cast<size_t>(count) * 4);
  if (forms.bf16) {
    kernels.to_bf16(values, count, bf16(row) + col);
    if (last && cols % 2 != 0) bf16(row)[cols] = 0;
  }
  if (forms.quant) {
    const int block = col / kQuantBlock;
    kernels.quantize_row(values, count,
                         {quant(row) + col, scale(row) + block, sum(row) + block, offset(row) + block, half_offset(row) + 2 * block});
  }
}

void shrink(const Kernels& kernels, ThreadPool& pool, std::span<TileScratch* const> scratch, Activation& x, int first,
            std::span<const CpuLinear* const> linears, std::span<const AdapterSegment> segments, std::span<Shrunk> out) {
  const int row_blocks = (x.rows + kShrinkRows - 1) / kShrinkRows, count = static_cast<int>(linears.size());
  int panels = 0;
  for (size_t i = 0; i < linears.size(); ++i) {
    if (linears[i]->adapters.empty()) continue;
    panels = std::max(panels, linears[i]->max_rank / kPanelRows);
    Forms forms;
    for (const auto& adapter : linears[i]->adapters) forms.add(adapter.b.type);
    out[i].value.shape(x.rows, linears[i]->max_rank, forms);
  }
  pool.parallel_for(row_blocks * count * panels, [&](int task, int thread) {
    const int panel = task % panels, row = task / panels / count * kShrinkRows, rows = std::min(kShrinkRows, x.rows - row);
    const size_t i = static_cast<size_t>(task / panels % count);
    const CpuLinear& linear = *linears[i];
    TileScratch& s = *scratch[static_cast<size_t>(thread)];
    each_segment(segments, first, row, rows, [&](int begin, int end, int index) {
      if (linear.adapters.empty() || panel >= linear.adapters[static_cast<size_t>(index)].a.panels) return;
      const CpuLinear::Adapter& adapter = linear.adapters[static_cast<size_t>(index)];
      product(kernels, adapter.a, x, begin, end - begin, panel, 1, false, {}, s.panels, s.c[0]);
      for (int r = begin; r < end; ++r) {
        float* c = s.c[0] + static_cast<size_t>(r - begin) * kTileCols;
        kernels.scale(c, kPanelRows, adapter.scale);
        out[i].value.put(kernels, r, panel * kPanelRows, kPanelRows, c);
      }
    });
  });
}

void product_tile(const Kernels& kernels, const CpuLinear& linear, Activation& x, Shrunk* shrunk, int first, int row, int rows,
                  int panel, int panels, std::span<const AdapterSegment> segments, const NextPanels& next, TileScratch& scratch,
                  float* c) noexcept {
  product(kernels, linear.weight, x, row, rows, panel, panels, false, next, scratch.panels, c);
  if (!linear.adapters.empty())
    each_segment(segments, first, row, rows, [&](int begin, int end, int index) {
      product(kernels, linear.adapters[static_cast<size_t>(index)].b, shrunk->value, begin, end - begin, panel, panels, true, {},
              scratch.panels, c + static_cast<size_t>(begin - row) * kTileCols);
    });
  if (!linear.bias.empty())
    for (int r = 0; r < rows; ++r)
      kernels.add(c + static_cast<size_t>(r) * kTileCols, linear.bias.data() + panel * kPanelRows, panels * kPanelRows);
}

}  // namespace e4j::cpu
