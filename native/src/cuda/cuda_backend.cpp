#include "cuda/cuda_backend.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/status.h"
#include "cuda/cublas_lt.h"
#include "cuda/cuda_linear.h"

namespace e4j::cuda {
namespace {

const CudaLinear& cuda_linear(const Linear* linear) { return static_cast<const CudaLinear&>(*linear); }

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
      : plans(cublas), uploads(device), normed(device), qkv(device), gate_up(device), hidden(device), shrunk(device), cos(device),
        sin(device), device_(device), gemm_memory_(device, kGemmWorkspaceBytes), matmul_memory_(device, kMatmulWorkspaceBytes) {
    device.check(device.api().create_stream(&stream), "making a stream");
    device.check(device.api().clear(matmul_memory_.data(), kMatmulWorkspaceBytes, stream), "clearing memory");
  }
  ~CudaWorkspace() override {
    device_.api().use(device_.index());
    device_.api().synchronize(stream);
    device_.api().destroy_stream(stream);
  }

  void* gemm_memory() const noexcept { return gemm_memory_.data(); }
  void* matmul_memory() const noexcept { return matmul_memory_.data(); }

  Stream stream = nullptr;
  GemmPlans plans;
  Uploads uploads;
  DeviceScratch normed, qkv, gate_up, hidden, shrunk;  // bf16
  DeviceScratch cos, sin;                              // float32

 private:
  const Device& device_;
  DeviceMemory gemm_memory_, matmul_memory_;
};

// y [rows][stride]: one of the two.
struct Output {
  uint16_t* bf16;
  float* f32;
  int64_t stride;

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
  explicit CudaBackend(const CudaOptions& options) : device_(options.library, options.index), cublas_(options.cublas_lt_library) {
    check(device_.api().use(device_.index()), "choosing the device");
    cublas_.open();
    loader_.emplace(device_);
  }

  std::string description() const override {
    const DeviceInfo& info = device_.info();
    const size_t v = cublas_.version();
    return "cuda:" + std::to_string(device_.index()) + " " + info.name + " (compute capability " + std::to_string(info.major) + "." +
           std::to_string(info.minor) + ", " + bytes_text(info.total_bytes) + "), CUDA " + cuda_version_text(device_.runtime_version()) +
           ", cuBLASLt " + std::to_string(v / 10000) + "." + std::to_string(v % 10000 / 100) + "." + std::to_string(v % 100) + ", " +
           weight_form_text(form_);
  }

  void plan(const ModelSize& size) override {
    form_ = plan_memory(size, device_.free_bytes(), std::getenv("EMBED4J_CUDA_WEIGHTS")).form;
  }

  std::unique_ptr<Linear> make_linear(const LinearSource& source) override { return std::move(make_linears({&source, 1}).front()); }
  std::vector<std::unique_ptr<Linear>> make_linears(std::span<const LinearSource> sources) override {
    return loader_->load(sources, form_);
  }
  std::unique_ptr<Table> make_table(const GgufTensor& t) override {
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
  std::unique_lock<std::mutex> begin(Workspace& w) override {
    check(device_.api().use(device_.index()), "choosing the device");
    check(device_.api().synchronize(cuda(w).stream), "finishing an earlier batch");
    cuda(w).uploads.reset();
    return {};
  }

  Rows from_caller(Workspace& w, const float* values, int rows, int cols, RowMemory& memory) override {
    const Rows to = memory.rows(rows, cols);
    const size_t bytes = static_cast<size_t>(rows) * static_cast<size_t>(cols) * sizeof(float);
    std::byte* stage = cuda(w).uploads.stage(bytes);
    std::memcpy(stage, values, bytes);
    check(device_.api().copy(to.data, stage, bytes, cuda(w).stream), "copying to the device");
    return to;
  }

  void to_caller(Workspace& w, Rows from, float* out) override {
    E4J_CHECK(from.stride == static_cast<size_t>(from.cols));
    const size_t bytes = static_cast<size_t>(from.rows) * from.stride * sizeof(float);
    std::byte* stage = cuda(w).uploads.stage(bytes);
    check(device_.api().copy(stage, from.data, bytes, cuda(w).stream), "copying from the device");
    check(device_.api().synchronize(cuda(w).stream), "computing a batch");
    std::memcpy(out, stage, bytes);
  }

  RotaryTable rotary_table(Workspace& w, const RotaryAngles& angles) override {
    CudaWorkspace& ws = cuda(w);
    const size_t half = angles.axis.size(), values = static_cast<size_t>(angles.rows) * half;
    const RotaryRows call{ws.uploads.upload(angles.positions, ws.stream), ws.uploads.upload(angles.axis, ws.stream),
                          ws.uploads.upload(angles.inv_freq, ws.stream), angles.rows, static_cast<int>(half),
                          ws.cos.reserve_for<float>(values), ws.sin.reserve_for<float>(values)};
    check(device_.api().rotary_table(call, ws.stream), "the rotary table");
    return {call.cos, call.sin, call.half};
  }

  std::unique_ptr<Sequences> sequences(Workspace& w, std::span<const int32_t> cu_seqlens, const AttentionShape& shape) override {
    const AttentionPlan plan = plan_attention(cu_seqlens, shape.num_heads, shape.num_key_value_heads, shape.head_dim, shape.causal);
    auto s = std::make_unique<CudaSequences>();
    s->kernel = plan.kernel;
    s->tiles = cuda(w).uploads.upload(std::span<const AttentionTile>(plan.tiles), cuda(w).stream);
    s->tile_count = static_cast<int>(plan.tiles.size());
    return s;
  }

  void embed(Workspace& w, const Table& table, std::span<const int32_t> ids, Rows out) override {
    const EmbedRows call{static_cast<const CudaTable&>(table).rows.as<uint16_t>(), cuda(w).uploads.upload(ids, cuda(w).stream), out.rows,
                         out.cols, out.data, stride(out)};
    check(device_.api().embed_rows(call, cuda(w).stream), "the embedding table");
  }

  void rms_norm(Workspace& w, Rows x, const float* weight, float eps, Rows out) override {
    check(device_.api().norm_rows({x.data, weight, x.rows, x.cols, stride(x), eps, out.data, nullptr, stride(out), x.cols}, cuda(w).stream),
          "RMSNorm");
  }

  void attention_layer(Workspace& w, Rows x, const AttentionLayer& layer, RotaryTable rotary, const Sequences& sequences,
                       std::span<const AdapterSegment> segments) override {
    CudaWorkspace& ws = cuda(w);
    const CudaLinear &q = cuda_linear(layer.q), &k = cuda_linear(layer.k), &v = cuda_linear(layer.v), &output = cuda_linear(layer.output);
    const CudaLinear* const members[] = {&q, &k, &v};
    const int64_t row = q.group->out_padded;
    uint16_t* qkv = ws.qkv.reserve_for<uint16_t>(static_cast<size_t>(x.rows) * static_cast<size_t>(row));
    for_chunks(x.rows, segments, [&](int first, int rows, std::span<const AdapterSegment> parts) {
      const Input n = normed(ws, x.slice(first, rows), layer.norm_weight, layer.eps, q.group->in_padded);
      multiply(ws, members, n, Output{qkv, nullptr, row}.at(first, 0), false, parts);
    });

    const AttentionShape& s = layer.shape;
    const bool adjoin = k.first == q.out_features;  // the heads of k follow those of q
    const auto rotate = [&](int first, int heads) {
      check(device_.api().rotate_rows({qkv + first, row, x.rows, heads, rotary.half, rotary.cos, rotary.sin}, ws.stream), "rotation");
    };
    rotate(0, s.num_heads + (adjoin ? s.num_key_value_heads : 0));
    if (!adjoin) rotate(k.first, s.num_key_value_heads);

    const CudaSequences& tiles = static_cast<const CudaSequences&>(sequences);
    check(device_.api().attention({tiles.kernel, tiles.tiles, tiles.tile_count, s.num_heads, s.num_key_value_heads, s.softmax_scale, qkv,
                                   qkv + k.first, qkv + v.first, row, row, row, qkv, nullptr, row},
                                  ws.stream),
          "attention");
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
      uint16_t* gate_up = ws.gate_up.reserve_for<uint16_t>(static_cast<size_t>(rows) * static_cast<size_t>(row));
      multiply(ws, members, n, {gate_up, nullptr, row}, false, parts);
      uint16_t* hidden = ws.hidden.reserve_for<uint16_t>(static_cast<size_t>(rows) * static_cast<size_t>(ffn));
      check(device_.api().swiglu_rows({gate_up, gate_up + up.first, row, rows, static_cast<int>(ffn), hidden, ffn}, ws.stream), "SwiGLU");
      multiply(ws, out, {hidden, rows, ffn}, {nullptr, part.data, stride(part)}, true, parts);
    });
  }

  void linear(Workspace& w, Rows in, const Linear& linear, Rows out, std::span<const AdapterSegment> segments) override {
    CudaWorkspace& ws = cuda(w);
    const CudaLinear* const members[] = {&cuda_linear(&linear)};
    const int cols = members[0]->group->in_padded;
    for_chunks(in.rows, segments, [&](int first, int rows, std::span<const AdapterSegment> parts) {
      const Rows part = in.slice(first, rows);
      uint16_t* cast = ws.normed.reserve_for<uint16_t>(static_cast<size_t>(rows) * static_cast<size_t>(cols));
      check(device_.api().cast_rows({part.data, rows, part.cols, stride(part), cast, cols, cols}, ws.stream), "rounding to bf16");
      multiply(ws, members, {cast, rows, cols}, {nullptr, out.row(first), stride(out)}, false, parts);
    });
  }

  void gelu(Workspace& w, Rows x) override { check(device_.api().gelu_rows(floats(x), cuda(w).stream), "GELU"); }

  void gather_rows(Workspace& w, Rows in, std::span<const int32_t> index, Rows out) override { move_rows(cuda(w), in, index, out, false); }
  void scatter_rows(Workspace& w, Rows in, std::span<const int32_t> index, Rows out) override { move_rows(cuda(w), in, index, out, true); }

  void mean_rows(Workspace& w, Rows in, std::span<const int32_t> ranges, Rows out) override {
    const MeanRows call{in.data, cuda(w).uploads.upload(ranges, cuda(w).stream), out.rows, out.cols, stride(in), stride(out), out.data};
    check(device_.api().mean_rows(call, cuda(w).stream), "pooling");
  }
  void l2_normalize(Workspace& w, Rows x) override { check(device_.api().normalize_rows(floats(x), cuda(w).stream), "normalising"); }

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
    const IndexedRows call{in.data, ws.uploads.upload(index, ws.stream), static_cast<int>(index.size()), in.cols, stride(in), stride(out),
                           out.data, scatter};
    check(device_.api().indexed_rows(call, ws.stream), scatter ? "scattering rows" : "gathering rows");
  }

  Input normed(CudaWorkspace& ws, Rows x, const float* weight, float eps, int cols) {
    uint16_t* out = ws.normed.reserve_for<uint16_t>(static_cast<size_t>(x.rows) * static_cast<size_t>(cols));
    check(device_.api().norm_rows({x.data, weight, x.rows, x.cols, stride(x), eps, nullptr, out, cols, cols}, ws.stream), "RMSNorm");
    return {out, x.rows, cols};
  }

  // y = (or +=) the whole group of `members`, bias and adapters in. As bf16, y has the group's padded columns; as float32, the one
  // member's own.
  void multiply(CudaWorkspace& ws, std::span<const CudaLinear* const> members, const Input& x, const Output& y, bool accumulate,
                std::span<const AdapterSegment> segments) {
    const LinearGroup& group = *members[0]->group;
    E4J_CHECK(members[0]->members == members.size() && (y.f32 == nullptr || members.size() == 1) && (y.bf16 == nullptr || !accumulate));
    const int n = y.bf16 != nullptr ? group.out_padded : members[0]->out_features;
    const bool skinny = x.rows <= kSkinnyRows && n % 2 == 0 && y.stride % 2 == 0;
    if (group.has_stored && (skinny || !group.expanded)) {
      for (const CudaLinear* member : members) multiply_stored(ws, *member, x, y.at(0, member->first), accumulate);
    } else if (skinny) {
      launch(ws, {DType::BF16, group.expanded->data(), group.in_padded, x.x, x.stride, x.rows, n, group.in_padded,
                  bias(group.bias_f32, 0), y.f32, y.bf16, y.stride, accumulate, ws.matmul_memory()});
    } else {
      const void* b = y.f32 != nullptr ? static_cast<const void*>(bias(group.bias_f32, 0)) : bias16(group.bias_bf16);
      ws.plans.run({x.rows, n, group.in_padded, x.x, x.stride, group.expanded->as<uint16_t>(), group.in_padded, b,
                    y.f32 != nullptr ? static_cast<void*>(y.f32) : y.bf16, y.stride, y.f32 != nullptr, accumulate, 1.0f},
                   ws.gemm_memory(), ws.stream);
    }
    for (const AdapterSegment& s : segments)
      if (s.adapter >= 0 && !group.adapters.empty()) add_adapter(ws, members, static_cast<size_t>(s.adapter), s, x, y);
  }

  void multiply_stored(CudaWorkspace& ws, const CudaLinear& member, const Input& x, const Output& y, bool accumulate) {
    launch(ws, {member.type, member.stored->data(), 0, x.x, x.stride, x.rows, member.out_features, member.in_features,
                bias(member.group->bias_f32, member.first), y.f32, y.bf16, y.stride, accumulate, ws.matmul_memory()});
  }

  void launch(CudaWorkspace& ws, const Matmul& call) { check(device_.api().matmul(call, ws.stream), "a product"); }

  static const float* bias(const std::unique_ptr<DeviceMemory>& memory, int first) noexcept {
    return memory ? memory->as<float>() + first : nullptr;
  }
  static const void* bias16(const std::unique_ptr<DeviceMemory>& memory) noexcept { return memory ? memory->data() : nullptr; }

  // y[segment] += B (scale A x[segment]), every member's A in one product.
  void add_adapter(CudaWorkspace& ws, std::span<const CudaLinear* const> members, size_t index, const AdapterSegment& s, const Input& x,
                   const Output& y) {
    const LinearGroup& group = *members[0]->group;
    const LinearGroup::Adapter& shared = group.adapters[index];
    const int rows = s.end - s.begin, rank = shared.rank_padded;
    uint16_t* t = ws.shrunk.reserve_for<uint16_t>(static_cast<size_t>(x.rows) * static_cast<size_t>(group.rank_padded));
    ws.plans.run({rows, rank, group.in_padded, x.x + s.begin * x.stride, x.stride, shared.a->as<uint16_t>(), group.in_padded, nullptr, t,
                  rank, false, false, shared.scale},
                 ws.gemm_memory(), ws.stream);
    for (const CudaLinear* member : members) {
      const CudaLinear::Adapter& own = member->adapters[index];
      const Output to = y.at(s.begin, member->first);
      ws.plans.run({rows, y.bf16 != nullptr ? member->out_padded : member->out_features, own.rank_padded, t + own.first_rank, rank,
                    own.b->as<uint16_t>(), own.rank_padded, nullptr, to.f32 != nullptr ? static_cast<void*>(to.f32) : to.bf16, to.stride,
                    to.f32 != nullptr, true, 1.0f},
                   ws.gemm_memory(), ws.stream);
    }
  }

  Device device_;
  CublasLt cublas_;
  WeightForm form_ = WeightForm::kExpanded;
  std::optional<WeightLoader> loader_;
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) { return std::make_unique<CudaBackend>(options); }

}  // namespace e4j::cuda
