// The CUDA backend against the CPU's scalar one, operation by operation and as a whole model. Without a GPU its device and
// cuBLASLt are the emulated ones; bench/gpu/run.sh runs the same tests on a GPU.
#include "cuda/cuda_backend.h"

#include "cuda/cuda_products.h"
#include "small_model.h"
#include "tiny_vision.h"
#include "two_backends.h"

using namespace e4j;
using namespace e4j::test;

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

namespace {

// Rows in equal parts, each with the next of the adapters.
std::vector<AdapterSegment> parts(int count, const std::vector<int>& adapters) {
  std::vector<AdapterSegment> segments;
  const int n = static_cast<int>(adapters.size());
  for (int i = 0; i < n; ++i) segments.push_back({count * i / n, count * (i + 1) / n, adapters[static_cast<size_t>(i)]});
  return segments;
}

void gated_mlp_agrees(int hidden, int ffn, DType type, int count, const std::vector<int>& adapters) {
  Random random(4);
  Source gate(type, ffn, hidden, true, 4, random), up(type, ffn, hidden, false, 4, random), down(type, hidden, ffn, true, 4, random);
  const std::vector<float> values = random.normals(static_cast<size_t>(count * hidden)), weight = random.normals(static_cast<size_t>(hidden));
  backends().compare((std::to_string(hidden) + " " + std::to_string(count)).c_str(), kTolerance, [&](Backend& backend, Workspace& ws) {
    Memories m;
    const auto turn = backend.begin(ws);
    const LinearSource both[] = {gate.source, up.source};
    const auto made = backend.make_linears(both);
    const auto last = backend.make_linear(down.source);
    const auto norm = backend.make_vector(weight);
    const Rows x = placed(backend, ws, values, count, m);
    backend.gated_mlp(ws, x, {norm->floats(), 1e-6f, made[0].get(), made[1].get(), last.get()}, parts(count, adapters));
    return fetched(backend, ws, x);
  });
}

}  // namespace

TEST(gated_mlps_agree_also_where_nothing_is_a_multiple_of_anything) {
  for (const auto& [hidden, ffn, type] : {std::tuple(256, 512, DType::Q8_0), std::tuple(160, 428, DType::F32), std::tuple(256, 96, DType::BF16)})
    for (int count : kCounts) gated_mlp_agrees(hidden, ffn, type, count, {1, 0});
  for (int count : {20, 150})
    for (int adapter = 0; adapter < 4; ++adapter) gated_mlp_agrees(160, 428, DType::F32, count, {adapter});
  CHECK(cuda::one_by_one(5, int64_t{2} * 2100 * 2 * 512, 64));
  gated_mlp_agrees(64, 512, DType::BF16, 2100, {3, 0, -1, 2, 1});
}

static void attention_layers_agree(Backends& backends) {
  struct Shape {
    int heads, kv_heads, head_dim;
    bool causal;
    std::vector<int32_t> cu_seqlens;
    std::vector<int> adapters = {};  // of equal parts of the rows
    int adapter_count = 4;
  };
  std::vector<int32_t> many;
  for (int i = 0; i <= 4200; i += 60) many.push_back(i);
  CHECK(cuda::one_by_one(2, int64_t{4} * 4200 * 128, 128));
  // Of the first, three slots of the output layer are wider than k and v, and no larger one has brought more memory than it needs.
  for (const Shape& s : {Shape{1, 1, 128, true, {0, 17}, {5}, 6}, Shape{16, 2, 128, true, {0, 1, 4, 70, 133}, {1, 0}},
                         Shape{2, 1, 128, true, {0, 17}, {1, 0}}, Shape{2, 2, 80, false, {0, 64, 100, 128}}, Shape{2, 2, 80, false, {0, 90, 95}},
                         Shape{4, 4, 80, false, {0, 64, 128}}, Shape{2, 1, 128, true, {0, 17}, {0}}, Shape{2, 1, 128, true, {0, 17}, {3}},
                         Shape{2, 1, 128, true, {0, 50, 95}, {1}}, Shape{2, 1, 128, true, {0, 50, 95}, {2}}, Shape{1, 1, 128, true, many, {3, 2}}}) {
    Random random(5);
    const int count = s.cu_seqlens.back(), hidden = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim;
    const int adapters = s.causal ? s.adapter_count : 0;
    Source q(DType::F32, hidden, hidden, true, adapters, random), k(DType::F32, kv, hidden, true, adapters, random);
    Source v(DType::F32, kv, hidden, true, adapters, random), out(DType::F32, hidden, hidden, !s.causal, adapters, random);
    const std::vector<float> values = random.normals(static_cast<size_t>(count * hidden)), weight = random.normals(static_cast<size_t>(hidden));
    std::vector<int32_t> positions, axis;
    std::vector<float> inv_freq;
    for (int a = 0; a < 3; ++a)
      for (int i = 0; i < count; ++i) positions.push_back((i + 7 * a) % 100);
    for (int j = 0; j < s.head_dim / 2; ++j) axis.push_back(j % 3), inv_freq.push_back(static_cast<float>(std::pow(1e4, -2.0 * j / s.head_dim)));
    const std::vector<AdapterSegment> segments = parts(count, s.adapters);
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
      backend.attention_layer(ws, x, {norm->floats(), 1e-6f, made[0].get(), made[1].get(), made[2].get(), last.get(), shape}, rotary, *sequences, segments);
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
  for (int pass = 0; pass < 8; ++pass) {  // in one session: call by call, then as a graph, which must see what changes
    for (test::Batch* b : {&on_cpu, &on_cuda}) {
      for (int32_t& id : b->ids) id = (id + pass) % test::kVocab;
      if (pass == 4) b->adapters = {-1, 0};
      if (pass == 5) b->adapters = {0, 0};
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
