// The CUDA backend against the CPU's scalar one, operation by operation and as a whole model. Without a GPU its device and
// cuBLASLt are the emulated ones; bench/gpu/run.sh runs the same tests on a GPU.
#include "cuda/cuda_backend.h"

#include <cmath>
#include <cstdlib>
#include <memory>

#include "cpu/cpu_backend.h"
#include "cuda/cuda_linear.h"
#include "small_model.h"
#include "tensor/quantize.h"
#include "test.h"
#include "tiny_vision.h"

using namespace e4j;
using e4j::test::Random;

namespace {

// bf16 keeps 8 bits: a relative error of about 2^-9 per rounding, of which the products and their inputs have a few.
constexpr double kTolerance = 0.02;

struct Backends {
  std::unique_ptr<Backend> cuda, cpu;
  std::unique_ptr<Workspace> cuda_workspace, cpu_workspace;

  // size: what leads to the form of weights wanted (memory_plan.h); nothing: as bf16
  explicit Backends(const ModelSize& size = {}, bool fp8 = false)
      : cuda(cuda::make_cuda_backend({0, "", "", fp8})), cpu(scalar()), cuda_workspace(cuda->make_workspace()), cpu_workspace(cpu->make_workspace()) {
    cuda->plan(size);
  }
  static std::unique_ptr<Backend> scalar() {
    ::setenv("EMBED4J_CPU_TIER", "scalar", 1);
    auto backend = cpu::make_cpu_backend(2);
    ::unsetenv("EMBED4J_CPU_TIER");
    return backend;
  }
  double largest_error = 0;
  // body(backend, workspace) on both; they return host values.
  template <class Body>
  void compare(const char* what, double tolerance, Body&& body) {
    const std::vector<float> want = body(*cpu, *cpu_workspace), got = body(*cuda, *cuda_workspace);
    double error = 0, size = 0;
    bool finite = want.size() == got.size();
    for (size_t i = 0; i < std::min(want.size(), got.size()); ++i) {
      error += std::pow(static_cast<double>(got[i]) - want[i], 2);
      size += std::pow(static_cast<double>(want[i]), 2);
      finite = finite && std::isfinite(got[i]);
    }
    const double relative = std::sqrt(error / std::max(size, 1e-30));
    largest_error = std::max(largest_error, relative);
    if (!finite || !(relative <= tolerance))
      test::failed(__FILE__, __LINE__, std::string(what) + ": relative error " + std::to_string(relative) + (finite ? "" : ", not finite"));
  }
};

Backends& backends() {
  static Backends both;
  return both;
}

// Rows of a backend with the caller's values; `memory` owns them.
Rows placed(Backend& b, Workspace& ws, const std::vector<float>& values, int rows, std::vector<std::unique_ptr<RowMemory>>& memory) {
  memory.push_back(std::make_unique<RowMemory>(b));
  const int cols = static_cast<int>(values.size()) / rows;
  const Rows from = b.from_caller(ws, values.data(), rows, cols, *memory.back());
  if (from.data != values.data()) return from;
  // The CPU reads the caller's values in place: a copy that may be written.
  const Rows copy = memory.back()->rows(rows, cols);
  std::copy(values.begin(), values.end(), copy.data);
  return copy;
}

std::vector<float> fetched(Backend& b, Workspace& ws, Rows rows) {
  std::vector<float> out(static_cast<size_t>(rows.rows) * static_cast<size_t>(rows.cols));
  b.to_caller(ws, rows, out.data());
  return out;
}

struct Matrix {
  std::vector<std::byte> stored;
  GgufTensor tensor;
  Matrix(DType type, int rows, int cols, float scale, Random& random) {
    const std::vector<float> values = random.normals(static_cast<size_t>(rows) * static_cast<size_t>(cols), scale);
    stored.resize(static_cast<size_t>(rows) * row_bytes(type, cols));
    quantize_rows(type, values.data(), rows, cols, stored.data());
    tensor = {"test", type, 2, {static_cast<uint64_t>(cols), static_cast<uint64_t>(rows), 1, 1}, stored.data(), stored.size()};
  }
};

// The files' side of a linear layer, for any backend.
struct Source {
  Matrix weight;
  std::vector<float> bias;
  std::vector<std::unique_ptr<Matrix>> a, b;
  LinearSource source;
  Source(DType type, int out, int in, bool with_bias, int adapters, Random& random)
      : weight(type, out, in, 1 / std::sqrt(static_cast<float>(in)), random),
        bias(with_bias ? random.normals(static_cast<size_t>(out)) : std::vector<float>()),
        source{"test", type, out, in, weight.stored.data(), with_bias ? bias.data() : nullptr, {}} {
    for (int i = 0; i < adapters; ++i) {
      const int rank = 12 + 20 * i;  // 12 is no multiple of the padding
      a.push_back(std::make_unique<Matrix>(DType::F32, rank, in, 1 / std::sqrt(static_cast<float>(in)), random));
      b.push_back(std::make_unique<Matrix>(DType::BF16, out, rank, 0.3f, random));
      source.adapters.push_back({&a.back()->tensor, &b.back()->tensor, 0.75f});
    }
  }
};

using Memories = std::vector<std::unique_ptr<RowMemory>>;

// Few rows go through the kernel that streams weights, many through cuBLASLt.
constexpr int kCounts[] = {1, 5, 64, 65, 150};  // 65 with 140 outputs, 64 and 150 with 192

}  // namespace

TEST(row_operations_agree) {
  Random random(1);
  const int rows = 37, cols = 200;
  const std::vector<float> values = random.normals(static_cast<size_t>(rows * cols), 3), weight = random.normals(static_cast<size_t>(cols));
  const std::vector<int32_t> index = {36, 0, 5, 5, 17}, places = {3, 1, 36, 30, 2}, ranges = {0, 1, 4, 37, 10, 12, 0, 37, 36, 37};
  Backends& b = backends();
  const auto unary = [&](const char* what, auto&& op) {
    b.compare(what, 1e-5, [&](Backend& backend, Workspace& ws) {
      Memories m;
      const auto turn = backend.begin(ws);
      const Rows x = placed(backend, ws, values, rows, m);
      op(backend, ws, x);
      return fetched(backend, ws, x);
    });
  };
  unary("rms_norm", [&](Backend& backend, Workspace& ws, Rows x) {
    const auto w = backend.make_vector(weight);
    backend.rms_norm(ws, x, w->floats(), 1e-6f, x);
    fetched(backend, ws, x);  // before its weights go
  });
  unary("gelu", [&](Backend& backend, Workspace& ws, Rows x) { backend.gelu(ws, x); });
  unary("l2_normalize", [&](Backend& backend, Workspace& ws, Rows x) { backend.l2_normalize(ws, x); });
  const auto moved = [&](const char* what, int out_rows, auto&& op) {
    b.compare(what, 1e-6, [&](Backend& backend, Workspace& ws) {
      Memories m;
      const auto turn = backend.begin(ws);
      const Rows x = placed(backend, ws, values, rows, m);
      const Rows out = placed(backend, ws, std::vector<float>(static_cast<size_t>(out_rows * cols), 7), out_rows, m);
      op(backend, ws, x, out);
      return fetched(backend, ws, out);
    });
  };
  moved("gather_rows", 5, [&](Backend& backend, Workspace& ws, Rows x, Rows out) { backend.gather_rows(ws, x, index, out); });
  moved("scatter_rows", rows, [&](Backend& backend, Workspace& ws, Rows x, Rows out) { backend.scatter_rows(ws, x.slice(2, 5), places, out); });
  moved("mean_rows", 5, [&](Backend& backend, Workspace& ws, Rows x, Rows out) { backend.mean_rows(ws, x, ranges, out); });
}

TEST(the_embedding_table_agrees) {
  const std::vector<int32_t> ids = {99, 0, 3, 3, 42};
  for (DType type : {DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_K, DType::Q5_K, DType::Q6_K}) {
    Random random(2);
    const Matrix table(type, 100, 512, 1, random);
    backends().compare(dtype_name(type), 0.004, [&](Backend& backend, Workspace& ws) {
      const auto turn = backend.begin(ws);
      const auto made = backend.make_table(table.tensor, false);
      RowMemory memory(backend);
      const Rows out = memory.rows(5, 512);
      backend.embed(ws, *made, ids, out);
      return fetched(backend, ws, out);
    });
  }
}

void linear_layers_agree(Backends& b, double tolerance = kTolerance) {
  for (DType type : {DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_K, DType::Q5_K, DType::Q6_K})
    for (int count : kCounts) {
      Random random(3);
      const int out = count % 2 == 1 ? 140 : 192;  // stored weights are used where the outputs are a multiple of the padding
      Source layer(type, out, 256, true, 3, random);
      layer.source.may_round = true;
      const std::vector<float> values = random.normals(static_cast<size_t>(count * 256));
      std::vector<AdapterSegment> segments = {{0, 1, 2}};
      if (count > 1) segments = {{-4, 2, 2}, {2, 3, -1}, {3, count - 1, 0}, {count - 1, count + 9, 1}};  // as clipped by multi-vector ranges
      b.compare((std::string(dtype_name(type)) + " " + std::to_string(count)).c_str(), tolerance, [&](Backend& backend, Workspace& ws) {
        Memories m;
        const auto turn = backend.begin(ws);
        const auto linear = backend.make_linear(layer.source);
        const Rows in = placed(backend, ws, values, count, m);
        RowMemory memory(backend);
        const Rows y = memory.rows(count, out);
        backend.linear(ws, in, *linear, y, segments);
        return fetched(backend, ws, y);
      });
    }
}

// Quantised weights in every form: as bf16, as stored, both.
TEST(linear_layers_with_mixed_adapters_agree) {
  ModelSize both, stored;
  both.values = 1000, both.stored_bytes = 1000;
  stored.values = uint64_t{1} << 50, stored.stored_bytes = 1000;
  Backends as_both(both), as_stored(stored);
  CHECK(as_both.cuda->description().find("as bf16 and as stored") != std::string::npos);
  CHECK(as_stored.cuda->description().find("weights as stored") != std::string::npos);
  linear_layers_agree(backends());
  linear_layers_agree(as_both);
  linear_layers_agree(as_stored);
}

namespace {

// As long as it lives.
struct Variable {
  const char* name;
  Variable(const char* n, const char* value) : name(n) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name); }
};

// Three bits of fraction: two factors of relative error up to 2^-4 each, whose mean over a sum of many is about 0.035.
constexpr double kFp8Tolerance = 0.05, kFp8Least = 0.02;

void fp8_layers_agree(const char* words) {
  Backends b(ModelSize{}, true);
  if (b.cuda->description().find(words) == std::string::npos) test::failed(__FILE__, __LINE__, b.cuda->description());
  linear_layers_agree(b, kFp8Tolerance);
  CHECK(b.largest_error > kFp8Least);  // it was not bf16 that agreed
}

}  // namespace

TEST(linear_layers_in_fp8_agree_as_far_as_it_goes) {
  if (backends().cuda->description().find("emulated") == std::string::npos) return fp8_layers_agree("the text decoder in fp8");
  fp8_layers_agree("the text decoder in fp8, scaled by rows");
  {
    Variable ada("EMULATED_CAPABILITY", "89");
    fp8_layers_agree("the text decoder in fp8, scaled as a whole");
  }
  {
    Variable old("EMULATED_CUBLASLT_VERSION", "120800");
    fp8_layers_agree("the text decoder in fp8, scaled as a whole");
  }
  Variable ampere("EMULATED_CAPABILITY", "86");
  CHECK_THROWS(Backends(ModelSize{}, true), E4J_DEVICE_UNAVAILABLE, "cuda:0 (emulated GPU) has compute capability 8.6; fp8 needs 8.9 or newer");
}

// The second layer's input takes more scratch memory than the first's, whose calls are still to be issued.
TEST(scratch_memory_that_grows_within_a_pass_serves_the_calls_before) {
  Backends b;
  Random random(6);
  Source narrow(DType::F32, 64, 64, true, 0, random), wide(DType::F32, 64, 1024, true, 0, random);
  const std::vector<float> few = random.normals(5 * 64), many = random.normals(5 * 1024);
  b.compare("two layers", kTolerance, [&](Backend& backend, Workspace& ws) {
    Memories m;
    const auto turn = backend.begin(ws);
    const auto first = backend.make_linear(narrow.source), second = backend.make_linear(wide.source);
    RowMemory memory(backend), other(backend);
    const Rows x = placed(backend, ws, few, 5, m), wider = placed(backend, ws, many, 5, m), y = memory.rows(5, 64), z = other.rows(5, 64);
    backend.linear(ws, x, *first, y, {});
    backend.linear(ws, wider, *second, z, {});
    std::vector<float> both = fetched(backend, ws, y);
    const std::vector<float> last = fetched(backend, ws, z);
    both.insert(both.end(), last.begin(), last.end());
    return both;
  });
}

TEST(gated_mlps_agree_also_where_nothing_is_a_multiple_of_anything) {
  for (const auto& [hidden, ffn, type] : {std::tuple(256, 512, DType::Q8_0), std::tuple(160, 428, DType::F32), std::tuple(256, 96, DType::BF16)})
    for (int count : kCounts) {
      Random random(4);
      Source gate(type, ffn, hidden, true, 2, random), up(type, ffn, hidden, false, 2, random), down(type, hidden, ffn, true, 2, random);
      const std::vector<float> values = random.normals(static_cast<size_t>(count * hidden)), weight = random.normals(static_cast<size_t>(hidden));
      const std::vector<AdapterSegment> segments = {{0, count / 2, 1}, {count / 2, count, 0}};
      backends().compare((std::to_string(hidden) + " " + std::to_string(count)).c_str(), kTolerance, [&](Backend& backend, Workspace& ws) {
        Memories m;
        const auto turn = backend.begin(ws);
        const LinearSource both[] = {gate.source, up.source};
        const auto made = backend.make_linears(both);
        const auto last = backend.make_linear(down.source);
        const auto norm = backend.make_vector(weight);
        const Rows x = placed(backend, ws, values, count, m);
        backend.gated_mlp(ws, x, {norm->floats(), 1e-6f, made[0].get(), made[1].get(), last.get()}, segments);
        return fetched(backend, ws, x);
      });
    }
}

static void attention_layers_agree(Backends& backends) {
  struct Shape {
    int heads, kv_heads, head_dim;
    bool causal;
    std::vector<int32_t> cu_seqlens;
  };
  for (const Shape& s : {Shape{16, 2, 128, true, {0, 1, 4, 70, 133}}, Shape{2, 1, 128, true, {0, 17}}, Shape{2, 2, 80, false, {0, 64, 100, 128}},
                         Shape{2, 2, 80, false, {0, 90, 95}}, Shape{4, 4, 80, false, {0, 64, 128}}}) {
    Random random(5);
    const int count = s.cu_seqlens.back(), hidden = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim;
    const int adapters = s.causal ? 2 : 0;
    Source q(DType::F32, hidden, hidden, true, adapters, random), k(DType::F32, kv, hidden, true, adapters, random);
    Source v(DType::F32, kv, hidden, true, adapters, random), out(DType::F32, hidden, hidden, !s.causal, adapters, random);
    const std::vector<float> values = random.normals(static_cast<size_t>(count * hidden)), weight = random.normals(static_cast<size_t>(hidden));
    std::vector<int32_t> positions, axis;
    std::vector<float> inv_freq;
    for (int a = 0; a < 3; ++a)
      for (int i = 0; i < count; ++i) positions.push_back((i + 7 * a) % 100);
    for (int j = 0; j < s.head_dim / 2; ++j) axis.push_back(j % 3), inv_freq.push_back(static_cast<float>(std::pow(1e4, -2.0 * j / s.head_dim)));
    const std::vector<AdapterSegment> segments = {{0, count / 2, 1}, {count / 2, count, 0}};
    backends.compare((std::to_string(s.head_dim) + " " + std::to_string(count)).c_str(), kTolerance, [&](Backend& backend, Workspace& ws) {
      Memories m;
      const auto turn = backend.begin(ws);
      const LinearSource sources[] = {q.source, k.source, v.source};
      const auto made = backend.make_linears(sources);
      const auto last = backend.make_linear(out.source);
      const auto norm = backend.make_vector(weight);
      const AttentionShape shape{s.heads, s.kv_heads, s.head_dim, s.causal, false, 1 / std::sqrt(static_cast<float>(s.head_dim))};
      const Rows x = placed(backend, ws, values, count, m);
      const RotaryTable rotary = backend.rotary_table(ws, {count, positions, axis, inv_freq});
      const auto sequences = backend.sequences(ws, s.cu_seqlens, shape);
      backend.attention_layer(ws, x, {norm->floats(), 1e-6f, made[0].get(), made[1].get(), made[2].get(), last.get(), shape}, rotary, *sequences,
                              std::span(segments).first(adapters > 0 ? segments.size() : 0));
      return fetched(backend, ws, x);
    });
  }
}

TEST(attention_layers_agree) { attention_layers_agree(backends()); }

TEST(the_vision_tower_gives_the_reference_rows_within_bf16) {
  const double error = test::tiny_vision::worst_error(*backends().cuda);
  if (!(error < 0.05)) test::failed(__FILE__, __LINE__, "relative error " + std::to_string(error));
}

TEST(a_model_agrees_with_the_cpu) {
  test::Files files;
  test::write_all(files);
  test::Model cpu(files), cuda(files, true, true, 2, "cuda");
  test::Batch on_cpu, on_cuda;
  for (int pass = 0; pass < 5; ++pass) {  // in one session: call by call, then as a graph, which must see what changes
    for (test::Batch* b : {&on_cpu, &on_cuda}) {
      for (int32_t& id : b->ids) id = (id + pass) % test::kVocab;
      if (pass == 4) b->adapters = {-1, 0};
    }
    on_cpu.run(cpu);
    std::fill(on_cuda.pooled_out.begin(), on_cuda.pooled_out.end(), NAN);
    on_cuda.run(cuda);
    const auto cosine = [](const float* a, const float* b, int n) {
      double ab = 0, aa = 0, bb = 0;
      for (int i = 0; i < n; ++i) ab += static_cast<double>(a[i]) * b[i], aa += static_cast<double>(a[i]) * a[i], bb += static_cast<double>(b[i]) * b[i];
      return ab / std::sqrt(aa * bb);
    };
    for (int i = 0; i < 2; ++i) CHECK(cosine(&on_cpu.pooled_out[static_cast<size_t>(i * test::kHidden)], &on_cuda.pooled_out[static_cast<size_t>(i * test::kHidden)], test::kHidden) > 0.9995);
    for (int i = 0; i < 3; ++i) CHECK(cosine(&on_cpu.multi_out[static_cast<size_t>(i * test::kDim)], &on_cuda.multi_out[static_cast<size_t>(i * test::kDim)], test::kDim) > 0.999);
  }
}

// Last, so that a kernel that no GPU has run takes no other test with it.
TEST(attention_layers_agree_on_the_kernel_that_the_environment_names) {
  const bool hopper = backends().cuda->description().find("compute capability 9.0") != std::string::npos;
  CHECK(backends().cuda->description().find("wgmma") == std::string::npos);
  {
    Variable wgmma("EMBED4J_CUDA_ATTENTION", "wgmma");
    if (hopper) {
      Backends chosen;
      CHECK(chosen.cuda->description().find(", attention by wgmma") != std::string::npos);
      attention_layers_agree(chosen);
      Variable ampere("EMULATED_CAPABILITY", "80");
      if (chosen.cuda->description().find("emulated") != std::string::npos)
        CHECK_THROWS(Backends{}, E4J_INVALID_ARGUMENT, "needs compute capability 9.0, but cuda:0 (emulated GPU) has 8.0");
    } else {
      CHECK_THROWS(Backends{}, E4J_INVALID_ARGUMENT, "needs compute capability 9.0");
    }
  }
  Variable other("EMBED4J_CUDA_ATTENTION", "flash");
  CHECK_THROWS(Backends{}, E4J_INVALID_ARGUMENT, "EMBED4J_CUDA_ATTENTION is \"flash\", expected mma or wgmma");
}
