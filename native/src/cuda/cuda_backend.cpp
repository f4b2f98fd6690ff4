#include "cuda/cuda_backend.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/status.h"
#include "cuda/call_queue.h"
#include "cuda/cuda_linear.h"

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

class CudaWorkspace final : public Workspace {
 public:
  CudaWorkspace(const Device& device, const CublasLt& cublas)
      : matmul_memory(device, kMatmulWorkspaceBytes), queue(device, cublas), uploads(device), normed(device), qkv(device), gate_up(device),
        hidden(device), shrunk(device), rounded(device), cos(device), sin(device), scales(device) {
    queue.add(ClearRows{matmul_memory.data(), kMatmulWorkspaceBytes, kMatmulWorkspaceBytes, 1});
    queue.finish();
  }
  ~CudaWorkspace() override { queue.abandon(); }

  // Memory whose former contents the calls before may still need.
  template <class T>
  T* reserve(DeviceScratch& scratch, size_t count) {
    if (!scratch.holds(count * sizeof(T))) queue.flush();
    return scratch.reserve_for<T>(count);
  }
  uint16_t* reserve_rows(DeviceScratch& scratch, int rows, int64_t cols) {
    return reserve<uint16_t>(scratch, static_cast<size_t>(rows) * static_cast<size_t>(cols));
  }
  template <class T>
  const T* upload(std::span<const T> values) {
    return uploads.upload(values, queue);
  }

  DeviceMemory matmul_memory;
  CallQueue queue;
  Uploads uploads;
  DeviceScratch normed, qkv, gate_up, hidden, shrunk;  // bf16
  DeviceScratch rounded;                               // e4m3
  DeviceScratch cos, sin, scales;                      // float32
};

// y [rows][stride]: one of the two.
struct Output {
  uint16_t* bf16;
  float* f32;
  int64_t stride;

  void* any() const noexcept { return f32 != nullptr ? static_cast<void*>(f32) : bf16; }
  Output at(int row, int col) const noexcept {
    const int64_t offset = row * stride + col;
    return {bf16 != nullptr ? bf16 + offset : nullptr, f32 != nullptr ? f32 + offset : nullptr, stride};
  }
};

struct Input {
  const uint16_t* x;  // bf16 [rows][stride]
  int rows;
  int64_t stride;
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
    const int64_t row = q.group->out_padded;
    uint16_t* qkv = ws.reserve_rows(ws.qkv, x.rows, row);
    for_chunks(x.rows, segments, [&](int first, int rows, std::span<const AdapterSegment> parts) {
      const Input n = normed(ws, x.slice(first, rows), layer.norm_weight, layer.eps, q.group->in_padded);
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
    const int64_t row = gate.group->out_padded, ffn = gate.out_padded;
    for_chunks(x.rows, segments, [&](int first, int rows, std::span<const AdapterSegment> parts) {
      const Rows part = x.slice(first, rows);
      const Input n = normed(ws, part, layer.norm_weight, layer.eps, gate.group->in_padded);
      uint16_t* gate_up = ws.reserve_rows(ws.gate_up, rows, row);
      multiply(ws, members, n, {gate_up, nullptr, row}, false, parts);
      uint16_t* hidden = ws.reserve_rows(ws.hidden, rows, ffn);
      ws.queue.add(SwigluRows{gate_up, gate_up + up.first, row, rows, static_cast<int>(ffn), hidden, ffn});
      multiply(ws, out, {hidden, rows, ffn}, {nullptr, part.data, stride(part)}, true, parts);
    });
  }

  void linear(Workspace& w, Rows in, const Linear& linear, Rows out, std::span<const AdapterSegment> segments) override {
    CudaWorkspace& ws = cuda(w);
    const CudaLinear* const members[] = {&cuda_linear(&linear)};
    const int cols = members[0]->group->in_padded;
    for_chunks(in.rows, segments, [&](int first, int rows, std::span<const AdapterSegment> parts) {
      const Rows part = in.slice(first, rows);
      uint16_t* cast = ws.reserve_rows(ws.normed, rows, cols);
      ws.queue.add(CastRows{part.data, rows, part.cols, stride(part), cast, cols, cols});
      multiply(ws, members, {cast, rows, cols}, {nullptr, out.row(first), stride(out)}, false, parts);
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

  Input normed(CudaWorkspace& ws, Rows x, const float* weight, float eps, int cols) {
    uint16_t* out = ws.reserve_rows(ws.normed, x.rows, cols);
    ws.queue.add(NormRows{x.data, weight, x.rows, x.cols, stride(x), eps, nullptr, out, cols, cols});
    return {out, x.rows, cols};
  }

  // y = (or +=) the whole group of `members`, bias and adapters in. As bf16, y has the group's padded columns; as float32, the one
  // member's own.
  void multiply(CudaWorkspace& ws, std::span<const CudaLinear* const> members, const Input& x, const Output& y, bool accumulate,
                std::span<const AdapterSegment> segments) {
    const LinearGroup& group = *members[0]->group;
    E4J_CHECK(members[0]->members == members.size() && (y.f32 == nullptr || members.size() == 1) && (y.bf16 == nullptr || !accumulate));
    const int n = y.bf16 != nullptr ? group.out_padded : members[0]->out_features;
    if (add_adapters(ws, members, x, y, n, accumulate, segments)) accumulate = true;
    const bool skinny = x.rows <= kSkinnyRows && n % 2 == 0 && y.stride % 2 == 0;
    if (group.fp8) {
      multiply_fp8(ws, group, x, y, n, accumulate);
    } else if (group.has_stored && (skinny || !group.expanded)) {
      for (const CudaLinear* member : members) multiply_stored(ws, *member, x, y.at(0, member->first), accumulate);
    } else if (skinny) {
      ws.queue.add(Matmul{DType::BF16, group.expanded->data(), group.in_padded, x.x, x.stride, x.rows, n, group.in_padded,
                          bias(group.bias_f32, 0), y.f32, y.bf16, y.stride, accumulate, ws.matmul_memory.data()});
    } else {
      const void* b = y.f32 != nullptr ? static_cast<const void*>(bias(group.bias_f32, 0)) : bias16(group.bias_bf16);
      ws.queue.add(Gemm{x.rows, n, group.in_padded, x.x, x.stride, group.expanded->as<uint16_t>(), group.in_padded, b, y.any(), y.stride,
                        y.f32 != nullptr, accumulate, 1.0f});
    }
  }

  void multiply_fp8(CudaWorkspace& ws, const LinearGroup& group, const Input& x, const Output& y, int n, bool accumulate) {
    const int64_t k = group.in_padded;
    uint8_t* rounded = ws.reserve<uint8_t>(ws.rounded, static_cast<size_t>(x.rows) * static_cast<size_t>(k));
    float* scales = ws.reserve<float>(ws.scales, static_cast<size_t>(std::max(x.rows, 2)));
    ws.queue.add(QuantizeRows{x.x, x.stride, x.rows, group.in_padded, rounded, k, scales, scale_rows_});
    ws.queue.add(Gemm{x.rows, n, group.in_padded, rounded, k, group.fp8->data(), k, bias16(group.bias_bf16), y.any(), y.stride,
                      y.f32 != nullptr, accumulate, 1.0f, scales, group.fp8_scales->as<float>(), scale_rows_});
  }

  void multiply_stored(CudaWorkspace& ws, const CudaLinear& member, const Input& x, const Output& y, bool accumulate) {
    ws.queue.add(Matmul{member.type, member.stored->data(), 0, x.x, x.stride, x.rows, member.out_features, member.in_features,
                        bias(member.group->bias_f32, member.first), y.f32, y.bf16, y.stride, accumulate, ws.matmul_memory.data()});
  }

  static const float* bias(const std::unique_ptr<DeviceMemory>& memory, int first) noexcept {
    return memory ? memory->as<float>() + first : nullptr;
  }
  static const void* bias16(const std::unique_ptr<DeviceMemory>& memory) noexcept { return memory ? memory->data() : nullptr; }

  // y [rows][n] = (or +=) B (scale A x) of each row's adapter, zeros in rows without one; false when no row has one, and y is
  // untouched. This comes before the layer's own product, whose accumulator takes it in as it is written out: y is read and written
  // once less than if the expansion were added to the finished product, and a sum in bf16 is rounded once.
  bool add_adapters(CudaWorkspace& ws, std::span<const CudaLinear* const> members, const Input& x, const Output& y, int n, bool accumulate,
                    std::span<const AdapterSegment> segments) {
    const bool none = std::all_of(segments.begin(), segments.end(), [](const AdapterSegment& s) { return s.adapter < 0; });
    if (none || members[0]->group->adapters.empty()) return false;
    const auto clear = [&](int first, int end) {
      const size_t value = y.f32 != nullptr ? sizeof(float) : sizeof(uint16_t);
      if (!accumulate && first < end)
        ws.queue.add(ClearRows{y.at(first, 0).any(), static_cast<size_t>(n) * value, static_cast<size_t>(y.stride) * value, end - first});
    };
    int done = 0;  // rows
    for (const AdapterSegment& s : segments) {
      if (s.adapter < 0) continue;
      E4J_CHECK(s.begin >= done);
      clear(done, s.begin);
      add_adapter(ws, members, static_cast<size_t>(s.adapter), s, x, y, accumulate);
      done = s.end;
    }
    clear(done, x.rows);
    return true;
  }

  // Every member's A in one product.
  void add_adapter(CudaWorkspace& ws, std::span<const CudaLinear* const> members, size_t index, const AdapterSegment& s, const Input& x,
                   const Output& y, bool accumulate) {
    const LinearGroup& group = *members[0]->group;
    const LinearGroup::Adapter& shared = group.adapters[index];
    const int rows = s.end - s.begin, rank = shared.rank_padded;
    uint16_t* t = ws.reserve_rows(ws.shrunk, x.rows, group.rank_padded);
    ws.queue.add(Gemm{rows, rank, group.in_padded, x.x + s.begin * x.stride, x.stride, shared.a->as<uint16_t>(), group.in_padded, nullptr, t,
                      rank, false, false, shared.scale});
    for (const CudaLinear* member : members) {
      const CudaLinear::Adapter& own = member->adapters[index];
      const Output to = y.at(s.begin, member->first);
      ws.queue.add(Gemm{rows, y.bf16 != nullptr ? member->out_padded : member->out_features, own.rank_padded, t + own.first_rank, rank,
                        own.b->as<uint16_t>(), own.rank_padded, nullptr, to.any(), to.stride, to.f32 != nullptr, accumulate, 1.0f});
    }
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
