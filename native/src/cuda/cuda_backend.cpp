#include "cuda/cuda_backend.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/status.h"
#include "cuda/cuda_linear.h"
#include "cuda/cuda_products.h"
#include "cuda/cuda_workspace.h"

namespace e4j::cuda {
namespace {

const CudaLinear& cuda_linear(const Linear* linear) { return static_cast<const CudaLinear&>(*linear); }

// What EMBED4J_CUDA_ATTENTION says: mma, which every GPU has and is used where nothing is said, or wgmma (flash_attention/wgmma_kernel.h).
bool wgmma_wanted(const DeviceInfo& info, int index) {
  const char* value = std::getenv("EMBED4J_CUDA_ATTENTION");
  const std::string word = value != nullptr ? value : "";
  if (!word.empty() && word != "mma" && word != "wgmma")
    fail(E4J_INVALID_ARGUMENT, "EMBED4J_CUDA_ATTENTION is \"%s\", expected mma or wgmma", value);
  if (word == "wgmma" && !has_wgmma(info))
    fail(E4J_INVALID_ARGUMENT, "EMBED4J_CUDA_ATTENTION is \"wgmma\", which needs compute capability 9.0, but cuda:%d (%s) has %d.%d", index, info.name,
         info.major, info.minor);
  return word == "wgmma";
}

class CudaTable final : public Table {
 public:
  CudaTable(const Device& device, size_t table_bytes) : rows(device, table_bytes) { bytes = table_bytes; }
  DeviceMemory rows;  // bf16 [vocabulary][cols]
};

struct CudaSequences final : Sequences {
  AttentionKernel kernel{};
  const AttentionTile* tiles = nullptr;
  int tile_count = 0;
};

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(const CudaOptions& options)
      : device_(options.library, options.index), cublas_(options.cublas_lt_library), fp8_(options.fp8) {
    check(device_.api().use(device_.index()), "choosing the device");
    cublas_.open();
    const DeviceInfo& info = device_.info();
    if (fp8_ && info.major * 10 + info.minor < 89)
      fail(E4J_DEVICE_UNAVAILABLE, "cuda:%d (%s) has compute capability %d.%d; fp8 needs 8.9 or newer", device_.index(), info.name, info.major,
           info.minor);
    wgmma_ = wgmma_wanted(info, device_.index());
    scale_rows_ = info.major == 9 && info.minor == 0 && cublas_.version() >= kRowScalesVersion;
    loader_.emplace(device_, scale_rows_);
  }

  std::string description() const override {
    const DeviceInfo& info = device_.info();
    const size_t v = cublas_.version();
    return "cuda:" + std::to_string(device_.index()) + " " + info.name + " (compute capability " + std::to_string(info.major) + "." +
           std::to_string(info.minor) + ", " + bytes_text(info.total_bytes) + "), CUDA " + cuda_version_text(device_.runtime_version()) +
           ", cuBLASLt " + std::to_string(v / 10000) + "." + std::to_string(v % 10000 / 100) + "." + std::to_string(v % 100) + ", " +
           weight_form_text(form_) + (form_ != WeightForm::kFp8 ? "" : scale_rows_ ? ", scaled by rows" : ", scaled as a whole") +
           (wgmma_ ? ", attention by wgmma" : "");
  }

  void plan(const ModelSize& size) override {
    if (size.packed)
      fail(E4J_DEVICE_UNAVAILABLE, "the model's files are packed for the CPU; a GPU needs them as they are without `embed4j convert --packed`");
    form_ = plan_memory(size, device_.free_bytes(), std::getenv("EMBED4J_CUDA_WEIGHTS"), fp8_).form;
  }

  std::unique_ptr<Linear> make_linear(const LinearSource& source) override { return std::move(make_linears({&source, 1}).front()); }
  std::vector<std::unique_ptr<Linear>> make_linears(std::span<const LinearSource> sources) override {
    return loader_->load(sources, form_);
  }
  std::unique_ptr<Table> make_table(const GgufTensor& t, bool) override {
    const int cols = static_cast<int>(t.dims[0]), rows = static_cast<int>(t.dims[1]);
    auto table = std::make_unique<CudaTable>(device_, static_cast<size_t>(rows) * static_cast<size_t>(cols) * sizeof(uint16_t));
    loader_->expand(t.type, t.data, rows, cols, table->rows.as<uint16_t>(), cols);
    return table;
  }
  std::unique_ptr<Memory> make_vector(std::span<const float> values) override { return loader_->floats(values); }
  std::unique_ptr<Memory> make_memory(size_t bytes) override { return std::make_unique<DeviceMemory>(device_, bytes); }
  std::unique_ptr<Workspace> make_workspace() override {
    check(device_.api().use(device_.index()), "choosing the device");
    return std::make_unique<CudaWorkspace>(device_, cublas_);
  }

  // Sessions do not wait for each other: each has a stream and memory of its own.
  std::unique_ptr<Pass> begin(Workspace& w, const PassOptions&) override {
    check(device_.api().use(device_.index()), "choosing the device");
    cuda(w).queue.restart();
    cuda(w).uploads.reset();
    return {};
  }

  Rows from_caller(Workspace& w, const float* values, int rows, int cols, RowMemory& memory) override {
    const Rows to = memory.rows(rows, cols);
    const size_t bytes = static_cast<size_t>(rows) * static_cast<size_t>(cols) * sizeof(float);
    std::byte* stage = cuda(w).uploads.stage(bytes);
    std::memcpy(stage, values, bytes);
    cuda(w).queue.add(Transfer{to.data, stage, bytes});
    return to;
  }

  void to_caller(Workspace& w, Rows from, float* out) override {
    E4J_CHECK(from.stride == static_cast<size_t>(from.cols));
    const size_t bytes = static_cast<size_t>(from.rows) * from.stride * sizeof(float);
    std::byte* stage = cuda(w).uploads.stage(bytes);
    cuda(w).queue.add(Transfer{stage, from.data, bytes});
    cuda(w).queue.finish();
    std::memcpy(out, stage, bytes);
  }

  RotaryTable rotary_table(Workspace& w, const RotaryAngles& angles) override {
    CudaWorkspace& ws = cuda(w);
    const size_t half = angles.axis.size(), values = static_cast<size_t>(angles.rows) * half;
    const RotaryRows call{ws.upload(angles.positions), ws.upload(angles.axis), ws.upload(angles.inv_freq), angles.rows,
                          static_cast<int>(half), ws.reserve<float>(ws.cos, values), ws.reserve<float>(ws.sin, values)};
    ws.queue.add(call);
    return {call.cos, call.sin, call.half};
  }

  std::unique_ptr<Sequences> sequences(Workspace& w, std::span<const int32_t> cu_seqlens, const AttentionShape& shape) override {
    const AttentionPlan plan = plan_attention(cu_seqlens, shape.num_heads, shape.num_key_value_heads, shape.head_dim, shape.causal);
    auto s = std::make_unique<CudaSequences>();
    s->kernel = wgmma_ && plan.kernel == AttentionKernel::kCausal128 ? AttentionKernel::kCausal128Wgmma : plan.kernel;
    s->tiles = cuda(w).upload(std::span<const AttentionTile>(plan.tiles));
    s->tile_count = static_cast<int>(plan.tiles.size());
    return s;
  }

  void embed(Workspace& w, const Table& table, std::span<const int32_t> ids, Rows out) override {
    const int32_t* on_device = cuda(w).upload(ids);
    cuda(w).queue.add(EmbedRows{static_cast<const CudaTable&>(table).rows.as<uint16_t>(), on_device, out.rows, out.cols, out.data, stride(out)});
  }

  void rms_norm(Workspace& w, Rows x, const float* weight, float eps, Rows out) override {
    cuda(w).queue.add(NormRows{x.data, weight, x.rows, x.cols, stride(x), eps, out.data, nullptr, stride(out), x.cols});
  }

  void attention_layer(Workspace& w, Rows x, const AttentionLayer& layer, RotaryTable rotary, const Sequences& sequences,
                       std::span<const AdapterSegment> segments) override {
    CudaWorkspace& ws = cuda(w);
    const CudaLinear &q = cuda_linear(layer.q), &k = cuda_linear(layer.k), &v = cuda_linear(layer.v), &output = cuda_linear(layer.output);
    const CudaLinear* const members[] = {&q, &k, &v};
    // Attention's result takes the place of q and is the next layer's input, whose slots lie around it: on the right over k and v,
    // which nobody needs by then, and beyond them if they are narrower.
    const RowLayout& attended = output.group->layout;
    const int64_t row = attended.left + std::max(q.group->out_padded, attended.cols + attended.right);
    uint16_t* qkv = ws.reserve_rows(ws.qkv, x.rows, row) + attended.left;
    for_chunks(x.rows, segments, [&](int first, int rows, std::span<const AdapterSegment> parts) {
      const Input n = normed(ws, x.slice(first, rows), layer.norm_weight, layer.eps, q.group->layout);
      multiply(ws, members, n, Output{qkv, nullptr, row}.at(first, 0), false, parts);
    });

    const AttentionShape& s = layer.shape;
    const bool adjoin = k.first == q.out_features;  // the heads of k follow those of q
    const auto rotate = [&](int first, int heads) {
      ws.queue.add(RotateRows{qkv + first, row, x.rows, heads, rotary.half, rotary.cos, rotary.sin});
    };
    rotate(0, s.num_heads + (adjoin ? s.num_key_value_heads : 0));
    if (!adjoin) rotate(k.first, s.num_key_value_heads);

    const CudaSequences& tiles = static_cast<const CudaSequences&>(sequences);
    ws.queue.add(FlashAttention{tiles.kernel, tiles.tiles, tiles.tile_count, s.num_heads, s.num_key_value_heads, s.softmax_scale, qkv,
                                qkv + k.first, qkv + v.first, row, row, row, qkv, nullptr, row});
    const CudaLinear* const out[] = {&output};
    for_chunks(x.rows, segments, [&](int first, int rows, std::span<const AdapterSegment> parts) {
      multiply(ws, out, {qkv + first * row, rows, row}, {nullptr, x.row(first), stride(x)}, true, parts);
    });
  }

  void gated_mlp(Workspace& w, Rows x, const GatedMlpLayer& layer, std::span<const AdapterSegment> segments) override {
    CudaWorkspace& ws = cuda(w);
    const CudaLinear &gate = cuda_linear(layer.gate), &up = cuda_linear(layer.up), &down = cuda_linear(layer.down);
    const CudaLinear* const members[] = {&gate, &up};
    const CudaLinear* const out[] = {&down};
    const int64_t row = gate.group->out_padded;
    for_chunks(x.rows, segments, [&](int first, int rows, std::span<const AdapterSegment> parts) {
      const Rows part = x.slice(first, rows);
      const Input n = normed(ws, part, layer.norm_weight, layer.eps, gate.group->layout);
      uint16_t* gate_up = ws.reserve_rows(ws.gate_up, rows, row);
      multiply(ws, members, n, {gate_up, nullptr, row}, false, parts);
      const Input hidden = reserve_input(ws, ws.hidden, rows, down.group->layout);
      ws.queue.add(SwigluRows{gate_up, gate_up + up.first, row, rows, gate.out_padded, hidden.x, hidden.stride});
      multiply(ws, out, hidden, {nullptr, part.data, stride(part)}, true, parts);
    });
  }

  void linear(Workspace& w, Rows in, const Linear& linear, Rows out, std::span<const AdapterSegment> segments) override {
    CudaWorkspace& ws = cuda(w);
    const CudaLinear* const members[] = {&cuda_linear(&linear)};
    const RowLayout& layout = members[0]->group->layout;
    for_chunks(in.rows, segments, [&](int first, int rows, std::span<const AdapterSegment> parts) {
      const Rows part = in.slice(first, rows);
      const Input cast = reserve_input(ws, ws.normed, rows, layout);
      ws.queue.add(CastRows{part.data, rows, part.cols, stride(part), cast.x, cast.stride, layout.cols});
      multiply(ws, members, cast, {nullptr, out.row(first), stride(out)}, false, parts);
    });
  }

  void gelu(Workspace& w, Rows x) override { cuda(w).queue.add(GeluRows{floats(x)}); }

  void gather_rows(Workspace& w, Rows in, std::span<const int32_t> index, Rows out) override { move_rows(cuda(w), in, index, out, false); }
  void scatter_rows(Workspace& w, Rows in, std::span<const int32_t> index, Rows out) override { move_rows(cuda(w), in, index, out, true); }

  void mean_rows(Workspace& w, Rows in, std::span<const int32_t> ranges, Rows out) override {
    const int32_t* on_device = cuda(w).upload(ranges);
    cuda(w).queue.add(MeanRows{in.data, on_device, out.rows, out.cols, stride(in), stride(out), out.data});
  }
  void l2_normalize(Workspace& w, Rows x) override { cuda(w).queue.add(NormalizeRows{floats(x)}); }

 private:
  static CudaWorkspace& cuda(Workspace& w) noexcept { return static_cast<CudaWorkspace&>(w); }
  static int64_t stride(const Rows& rows) noexcept { return static_cast<int64_t>(rows.stride); }
  static FloatRows floats(const Rows& x) noexcept { return {x.data, x.rows, x.cols, stride(x)}; }
  void check(int error, const char* what) const { device_.check(error, what); }

  template <class Body>
  static void for_chunks(int rows, std::span<const AdapterSegment> segments, Body&& body) {
    for (int first = 0; first < rows; first += kChunkRows) {
      const int count = std::min(kChunkRows, rows - first);
      const std::vector<AdapterSegment> parts = clipped(segments, first, count);
      body(first, count, std::span<const AdapterSegment>(parts));
    }
  }

  void move_rows(CudaWorkspace& ws, Rows in, std::span<const int32_t> index, Rows out, bool scatter) {
    const int32_t* on_device = ws.upload(index);
    ws.queue.add(IndexedRows{in.data, on_device, static_cast<int>(index.size()), in.cols, stride(in), stride(out), out.data, scatter});
  }

  Input normed(CudaWorkspace& ws, Rows x, const float* weight, float eps, const RowLayout& layout) {
    const Input out = reserve_input(ws, ws.normed, x.rows, layout);
    ws.queue.add(NormRows{x.data, weight, x.rows, x.cols, stride(x), eps, nullptr, out.x, out.stride, layout.cols});
    return out;
  }

  Device device_;
  CublasLt cublas_;
  WeightForm form_ = WeightForm::kExpanded;
  bool fp8_, scale_rows_ = false, wgmma_ = false;
  std::optional<WeightLoader> loader_;
};

}  // namespace

int count_cuda_devices(const std::string& library) { return Device::count(library); }

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) { return std::make_unique<CudaBackend>(options); }

}  // namespace e4j::cuda
