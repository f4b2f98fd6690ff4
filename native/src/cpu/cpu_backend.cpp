#include "cpu/cpu_backend.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/status.h"
#include "cpu/attention.h"
#include "cpu/dispatch.h"
#include "cpu/linear.h"
#include "tensor/quantize.h"

namespace e4j::cpu {
namespace {

// Rows that go through a layer's linears at once: enough to use each weight many times, few enough to bound the memory.
constexpr int kChunkRows = 512;
constexpr size_t kMaxLinears = 3;  // that share an input: q, k, v
constexpr int kRowGrain = 8;  // rows a thread takes at once in row-wise work

const CpuLinear& cpu_linear(const Linear& linear) { return static_cast<const CpuLinear&>(linear); }

class CpuMemory final : public Memory {
 public:
  explicit CpuMemory(size_t bytes) : Memory(bytes), buffer_(bytes) { data_ = buffer_.as<float>(); }

 private:
  Buffer buffer_;
};

class CpuTable final : public Table {
 public:
  CpuTable(const GgufTensor& t, bool stays, ThreadPool& pool) : type(t.type), rows_(t.data) {
    bytes = t.data_bytes;
    if (stays) return;
    copy_ = Buffer(t.data_bytes);
    rows_ = copy_.data();
    pool.for_parts(t.data_bytes, [&](size_t at, size_t count) { std::memcpy(copy_.data() + at, t.data + at, count); });
  }
  const std::byte* row(int32_t id, size_t row_bytes) const noexcept { return rows_ + static_cast<size_t>(id) * row_bytes; }
  DType type;

 private:
  const std::byte* rows_;  // [vocabulary][row_bytes]
  Buffer copy_;            // which holds them, unless a file does
};

struct CpuSequences final : Sequences {
  explicit CpuSequences(std::span<const int32_t> cu) : cu_seqlens(cu) {}
  std::span<const int32_t> cu_seqlens;
};

// An array of rows in a buffer that grows as needed.
Rows rows_in(Buffer& buffer, int rows, int cols) {
  buffer.reserve(static_cast<size_t>(rows) * static_cast<size_t>(cols) * sizeof(float));
  return {buffer.as<float>(), rows, cols, static_cast<size_t>(cols)};
}

class CpuWorkspace final : public Workspace {
 public:
  explicit CpuWorkspace(int num_threads) : memory_(sizeof(TileScratch) * static_cast<size_t>(num_threads)) {
    for (int i = 0; i < num_threads; ++i) scratch.push_back(memory_.as<TileScratch>() + i);
  }

  std::vector<TileScratch*> scratch;  // by thread
  Activation input, hidden;
  Buffer normed;                      // [threads][cols]
  std::array<Shrunk, kMaxLinears> shrunk;
  Attention attention;
  Buffer q, k, v, cos, sin;           // of an attention layer

 private:
  Buffer memory_;
};

struct CpuPass final : Pass {
  CpuPass(ThreadPool& pool, const PassOptions& options) : turn(pool, options.cancel, options.background) {}
  ThreadPool::Turn turn;
};

class PoolBackend final : public CpuBackend {
 public:
  explicit PoolBackend(int num_threads)
      : kernels_(selected_kernels()), pool_(num_threads > 0 ? num_threads : usable_processors()) {}

  std::string description() const override {
    return std::string("cpu ") + kernels_.tier + ", " + std::to_string(pool_.num_threads()) + " threads";
  }

  void plan(const ModelSize&) override {}

  std::unique_ptr<Linear> make_linear(const LinearSource& source) override { return make_cpu_linear(source, pool_); }

  std::unique_ptr<Table> make_table(const GgufTensor& table, bool stays) override {
    return std::make_unique<CpuTable>(table, stays, pool_);
  }

  std::unique_ptr<Memory> make_vector(std::span<const float> values) override {
    auto memory = std::make_unique<CpuMemory>(values.size_bytes());
    std::memcpy(memory->floats(), values.data(), values.size_bytes());
    return memory;
  }

  std::unique_ptr<Memory> make_memory(size_t bytes) override { return std::make_unique<CpuMemory>(bytes); }

  std::unique_ptr<Workspace> make_workspace() override { return std::make_unique<CpuWorkspace>(pool_.num_threads()); }

  std::unique_ptr<Pass> begin(Workspace&, const PassOptions& options) override {
    return std::make_unique<CpuPass>(pool_, options);
  }

  Rows from_caller(Workspace&, const float* values, int rows, int cols, RowMemory&) override {
    return {const_cast<float*>(values), rows, cols, static_cast<size_t>(cols)};  // only read: Rows has no const form
  }

  void to_caller(Workspace&, Rows from, float* out) override {
    for (int r = 0; r < from.rows; ++r) copy_row(from.row(r), out + static_cast<size_t>(r) * static_cast<size_t>(from.cols), from.cols);
  }

  RotaryTable rotary_table(Workspace& w, const RotaryAngles& angles) override {
    CpuWorkspace& ws = static_cast<CpuWorkspace&>(w);
    const size_t half = angles.axis.size(), rows = static_cast<size_t>(angles.rows);
    const Rows cos = rows_in(ws.cos, angles.rows, static_cast<int>(half)), sin = rows_in(ws.sin, cos.rows, cos.cols);
    for_rows(cos.rows, [&](int r, int) {
      for (size_t j = 0; j < half; ++j) {
        const int32_t position = angles.positions[static_cast<size_t>(angles.axis[j]) * rows + static_cast<size_t>(r)];
        const float angle = static_cast<float>(position) * angles.inv_freq[j];
        cos.row(r)[j] = std::cos(angle);
        sin.row(r)[j] = std::sin(angle);
      }
    });
    return {cos.data, sin.data, static_cast<int>(half)};
  }

  std::unique_ptr<Sequences> sequences(Workspace&, std::span<const int32_t> cu_seqlens, const AttentionShape&) override {
    return std::make_unique<CpuSequences>(cu_seqlens);
  }

  void embed(Workspace&, const Table& t, std::span<const int32_t> ids, Rows out) override {
    const CpuTable& table = static_cast<const CpuTable&>(t);
    const size_t row = row_bytes(table.type, out.cols);
    for_rows(out.rows, [&](int r, int) {
      dequantize_rows(table.type, table.row(ids[static_cast<size_t>(r)], row), 1, out.cols, out.row(r));
    });
  }

  void rms_norm(Workspace&, Rows x, const float* weight, float eps, Rows out) override {
    for_rows(x.rows, [&](int r, int) { kernels_.rms_norm(x.row(r), weight, x.cols, eps, out.row(r)); });
  }

  void norm_linear(Workspace& w, Rows x, const float* norm_weight, float eps, std::span<const Linear* const> linears,
                   std::span<const Rows> outs, std::span<const AdapterSegment> segments) override {
    CpuWorkspace& ws = static_cast<CpuWorkspace&>(w);
    std::vector<const CpuLinear*> layers;
    for (const Linear* l : linears) layers.push_back(&cpu_linear(*l));
    E4J_CHECK(layers.size() <= kMaxLinears);
    for (int first = 0; first < x.rows; first += kChunkRows) {
      const Rows part = x.slice(first, std::min(kChunkRows, x.rows - first));
      prepare(ws, part, norm_weight, eps, layers);
      shrink(kernels_, pool_, ws.scratch, ws.input, first, layers, segments, ws.shrunk);
      for_tiles(ws, ws.input, layers, first, segments, [&](const Tile& t, const float* c) {
        store_tile(t, c, outs[t.linear].slice(first, part.rows));
      });
    }
  }

  void linear(Workspace& w, Rows in, const Linear& linear, Rows out, std::span<const AdapterSegment> segments) override {
    project(w, in, linear, out, segments, [](const Tile& t, const float* c, Rows to, const Kernels&) { store_tile(t, c, to); });
  }

  void linear_residual(Workspace& w, Rows in, const Linear& linear, Rows x, std::span<const AdapterSegment> segments) override {
    project(w, in, linear, x, segments, add_tile);
  }

  void attention_layer(Workspace& w, Rows x, const AttentionLayer& layer, RotaryTable rotary, const Sequences& sequences,
                       std::span<const AdapterSegment> segments) override {
    CpuWorkspace& ws = static_cast<CpuWorkspace&>(w);
    const Rows q = rows_in(ws.q, x.rows, layer.q->out_features), k = rows_in(ws.k, x.rows, layer.k->out_features);
    const Rows v = rows_in(ws.v, x.rows, layer.v->out_features);
    const Linear* const qkv[] = {layer.q, layer.k, layer.v};
    const Rows outs[] = {q, k, v};
    norm_linear(w, x, layer.norm_weight, layer.eps, qkv, outs, segments);
    rotate(q, layer.shape.num_heads, rotary);
    rotate(k, layer.shape.num_key_value_heads, rotary);
    attention(w, q, k, v, static_cast<const CpuSequences&>(sequences).cu_seqlens, layer.shape);
    linear_residual(w, q, *layer.output, x, segments);
  }

  void gated_mlp(Workspace& w, Rows x, const GatedMlpLayer& layer, std::span<const AdapterSegment> segments) override {
    CpuWorkspace& ws = static_cast<CpuWorkspace&>(w);
    const CpuLinear* const gate_up[] = {&cpu_linear(*layer.gate), &cpu_linear(*layer.up)};
    const CpuLinear* const out[] = {&cpu_linear(*layer.down)};
    for (int first = 0; first < x.rows; first += kChunkRows) {
      const Rows part = x.slice(first, std::min(kChunkRows, x.rows - first));
      prepare(ws, part, layer.norm_weight, layer.eps, gate_up);
      shrink(kernels_, pool_, ws.scratch, ws.input, first, gate_up, segments, ws.shrunk);
      ws.hidden.shape(part.rows, out[0]->in_features, out[0]->forms);
      gate_up_tiles(ws, gate_up, first, segments);
      shrink(kernels_, pool_, ws.scratch, ws.hidden, first, out, segments, ws.shrunk);
      for_tiles(ws, ws.hidden, out, first, segments,
                [&](const Tile& t, const float* c) { add_tile(t, c, part, kernels_); });
    }
  }

  void gelu(Workspace&, Rows x) override {
    for_rows(x.rows, [&](int r, int) {
      float* p = x.row(r);
      for (int i = 0; i < x.cols; ++i) p[i] = 0.5f * p[i] * (1.0f + std::erff(p[i] * 0.70710678118654752f));
    });
  }

  void rotate(Rows x, int num_heads, RotaryTable table) override {
    for_rows(x.rows, [&](int r, int) {
      const size_t at = static_cast<size_t>(r) * static_cast<size_t>(table.half);
      for (int h = 0; h < num_heads; ++h)
        kernels_.rotate(x.row(r) + h * 2 * table.half, table.cos + at, table.sin + at, table.half);
    });
  }

  void attention(Workspace& w, Rows q, Rows k, Rows v, std::span<const int32_t> cu_seqlens, const AttentionShape& shape) override {
    static_cast<CpuWorkspace&>(w).attention.run(kernels_, pool_, q, k, v, cu_seqlens, shape);
  }

  void gather_rows(Workspace&, Rows in, std::span<const int32_t> index, Rows out) override {
    for_rows(out.rows, [&](int r, int) { copy_row(in.row(index[static_cast<size_t>(r)]), out.row(r), out.cols); });
  }

  void scatter_rows(Workspace&, Rows in, std::span<const int32_t> index, Rows out) override {
    for_rows(in.rows, [&](int r, int) { copy_row(in.row(r), out.row(index[static_cast<size_t>(r)]), in.cols); });
  }

  void mean_rows(Workspace&, Rows in, std::span<const int32_t> ranges, Rows out) override {
    constexpr int kCols = 64;
    const int blocks = (in.cols + kCols - 1) / kCols;
    pool_.parallel_for(out.rows * blocks, [&](int task, int) {
      const int r = task / blocks, col = task % blocks * kCols, cols = std::min(kCols, in.cols - col);
      const int begin = ranges[2 * static_cast<size_t>(r)], end = ranges[2 * static_cast<size_t>(r) + 1];
      double sum[kCols] = {};
      for (int i = begin; i < end; ++i)
        for (int c = 0; c < cols; ++c) sum[c] += in.row(i)[col + c];
      for (int c = 0; c < cols; ++c) out.row(r)[col + c] = static_cast<float>(sum[c] / (end - begin));
    });
  }

  void l2_normalize(Workspace&, Rows x) override {
    for_rows(x.rows, [&](int r, int) {
      double sum = 0;
      for (int i = 0; i < x.cols; ++i) sum += static_cast<double>(x.row(r)[i]) * x.row(r)[i];
      kernels_.scale(x.row(r), x.cols, static_cast<float>(1.0 / std::max(std::sqrt(sum), 1e-12)));
    });
  }

 private:
  // Rows [row, row + rows) of a chunk times columns [col, col + cols) of one of its linears.
  struct Tile {
    size_t linear;
    int row, rows, col, cols;
  };

  template <class Body>
  void for_rows(int rows, Body&& body) {
    pool_.parallel_for((rows + kRowGrain - 1) / kRowGrain, [&](int block, int thread) {
      for (int r = block * kRowGrain; r < std::min(rows, (block + 1) * kRowGrain); ++r) body(r, thread);
    });
  }

  static void copy_row(const float* from, float* to, int cols) noexcept {
    std::memcpy(to, from, static_cast<size_t>(cols) * sizeof(float));
  }

  static void store_tile(const Tile& t, const float* c, Rows to) noexcept {
    for (int r = 0; r < t.rows; ++r) copy_row(c + static_cast<size_t>(r) * kTileCols, to.row(t.row + r) + t.col, t.cols);
  }

  static void add_tile(const Tile& t, const float* c, Rows to, const Kernels& kernels) noexcept {
    for (int r = 0; r < t.rows; ++r) kernels.add(to.row(t.row + r) + t.col, c + static_cast<size_t>(r) * kTileCols, t.cols);
  }

  // ws.input = x, normalised when norm_weight is given, in every form the linears need.
  void prepare(CpuWorkspace& ws, Rows x, const float* norm_weight, float eps, std::span<const CpuLinear* const> linears) {
    Forms forms;
    for (const CpuLinear* l : linears) forms.add(l->forms);
    ws.input.shape(x.rows, x.cols, forms);
    ws.normed.reserve(static_cast<size_t>(pool_.num_threads()) * static_cast<size_t>(x.cols) * sizeof(float));
    for_rows(x.rows, [&](int r, int thread) {
      const float* values = x.row(r);
      if (norm_weight != nullptr) {
        float* normed = ws.normed.as<float>() + static_cast<size_t>(thread) * static_cast<size_t>(x.cols);
        kernels_.rms_norm(values, norm_weight, x.cols, eps, normed);
        values = normed;
      }
      ws.input.put(kernels_, r, 0, x.cols, values);
    });
  }

  // epilogue(tile, c) for every tile of every linear; the row blocks of a column tile follow each other, so its weights are
  // read from memory once.
  template <class Epilogue>
  void for_tiles(CpuWorkspace& ws, Activation& x, std::span<const CpuLinear* const> linears, int first,
                 std::span<const AdapterSegment> segments, Epilogue&& epilogue) {
    const int row_blocks = (x.rows + kTileRows - 1) / kTileRows;
    std::array<int, kMaxLinears> col_tiles{};
    int total = 0;
    for (size_t i = 0; i < linears.size(); ++i) total += col_tiles[i] = (linears[i]->weight.panels + kMaxPanels - 1) / kMaxPanels;
    const auto locate = [&](int col_tile) {
      size_t i = 0;
      while (col_tile >= col_tiles[i]) col_tile -= col_tiles[i++];
      return std::pair(i, col_tile * kMaxPanels);
    };
    pool_.parallel_for(total * row_blocks, [&](int task, int thread) {
      const auto [i, panel] = locate(task / row_blocks);
      const CpuLinear& l = *linears[i];
      const int panels = std::min(kMaxPanels, l.weight.panels - panel);
      NextPanels next;
      if (const int following = task / row_blocks + pool_.num_threads(); following < total) {
        const auto [next_i, next_panel] = locate(following);
        next = {&linears[next_i]->weight, next_panel};
      }
      const int row = task % row_blocks * kTileRows, rows = std::min(kTileRows, x.rows - row);
      TileScratch& s = *ws.scratch[static_cast<size_t>(thread)];
      product_tile(kernels_, l, x, &ws.shrunk[i], first, row, rows, panel, panels, segments, next, s, s.c[0]);
      const int col = panel * kPanelRows;
      epilogue(Tile{i, row, rows, col, std::min(panels * kPanelRows, l.out_features - col)}, s.c[0]);
    });
  }

  template <class Epilogue>
  void project(Workspace& w, Rows in, const Linear& linear, Rows out, std::span<const AdapterSegment> segments, Epilogue epilogue) {
    CpuWorkspace& ws = static_cast<CpuWorkspace&>(w);
    const CpuLinear* const layers[] = {&cpu_linear(linear)};
    for (int first = 0; first < in.rows; first += kChunkRows) {
      const int rows = std::min(kChunkRows, in.rows - first);
      prepare(ws, in.slice(first, rows), nullptr, 0, layers);
      shrink(kernels_, pool_, ws.scratch, ws.input, first, layers, segments, ws.shrunk);
      for_tiles(ws, ws.input, layers, first, segments,
                [&](const Tile& t, const float* c) { epilogue(t, c, out.slice(first, rows), kernels_); });
    }
  }

  // ws.hidden = silu(gate(ws.input)) * up(ws.input)
  void gate_up_tiles(CpuWorkspace& ws, std::span<const CpuLinear* const> gate_up, int first,
                     std::span<const AdapterSegment> segments) {
    const CpuLinear &gate = *gate_up[0], &up = *gate_up[1];
    const int row_blocks = (ws.input.rows + kTileRows - 1) / kTileRows;
    pool_.parallel_for((gate.weight.panels + kMaxPanels - 1) / kMaxPanels * row_blocks, [&](int task, int thread) {
      const int panel = task / row_blocks * kMaxPanels, panels = std::min(kMaxPanels, gate.weight.panels - panel);
      const int row = task % row_blocks * kTileRows, rows = std::min(kTileRows, ws.input.rows - row);
      TileScratch& s = *ws.scratch[static_cast<size_t>(thread)];
      NextPanels next;
      if (const int following = panel + kMaxPanels * pool_.num_threads(); following < gate.weight.panels) next = {&gate.weight, following};
      product_tile(kernels_, gate, ws.input, &ws.shrunk[0], first, row, rows, panel, panels, segments, {&up.weight, panel}, s, s.c[0]);
      product_tile(kernels_, up, ws.input, &ws.shrunk[1], first, row, rows, panel, panels, segments, next, s, s.c[1]);
      const int col = panel * kPanelRows, cols = std::min(panels * kPanelRows, gate.out_features - col);
      for (int r = 0; r < rows; ++r) {
        float* values = s.c[0] + static_cast<size_t>(r) * kTileCols;
        kernels_.swiglu(values, s.c[1] + static_cast<size_t>(r) * kTileCols, panels * kPanelRows);
        ws.hidden.put(kernels_, row + r, col, cols, values);
      }
    });
  }

  const Kernels kernels_;
  ThreadPool pool_;
};

}  // namespace

std::unique_ptr<CpuBackend> make_cpu_backend(int num_threads) { return std::make_unique<PoolBackend>(num_threads); }

}  // namespace e4j::cpu
