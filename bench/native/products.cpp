// A linear layer of the CPU backend alone: float32 rows in and out, no adapter. Layers of equal shape take turns, together
// larger than the caches, so that weights come from memory as they do in a model.
#include <cmath>
#include <cstdlib>
#include <memory>

#include "base/buffer.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "bench.h"
#include "cpu/cpu_backend.h"
#include "cpu/dispatch.h"
#include "random.h"
#include "tensor/quantize.h"

namespace e4j::bench {
namespace {

constexpr size_t kTogether = size_t{96} << 20;  // bytes of all layers, at least
constexpr int kDistinctRows = 256;              // the weights' rows repeat after these
constexpr int kSamples = 2;                     // rows compared with the scalar tier

DType type_named(const std::string& name) {
  if (name == "f32") return DType::F32;
  if (name == "f16") return DType::F16;
  if (name == "bf16") return DType::BF16;
  if (name == "q8_0") return DType::Q8_0;
  if (name == "q4_k") return DType::Q4_K;
  if (name == "q5_k") return DType::Q5_K;
  if (name == "q6_k") return DType::Q6_K;
  throw Error(E4J_INVALID_ARGUMENT, "unknown type " + name);
}

std::vector<std::byte> weights(DType type, int n, int k) {
  const int rows = std::min(n, kDistinctRows);
  const size_t bytes = row_bytes(type, k);
  std::vector<std::byte> stored(static_cast<size_t>(n) * bytes);
  const std::vector<float> source = test::Random(1).normals(static_cast<size_t>(rows) * static_cast<size_t>(k), 0.02f);
  ThreadPool pool(usable_processors());
  pool.parallel_for(rows, [&](int r, int) {
    quantize_rows(type, source.data() + static_cast<size_t>(r) * static_cast<size_t>(k), 1, k, stored.data() + static_cast<size_t>(r) * bytes);
  });
  for (int r = rows; r < n; ++r) {
    std::copy_n(stored.data() + static_cast<size_t>(r - rows) * bytes, bytes, stored.data() + static_cast<size_t>(r) * bytes);
  }
  return stored;
}

Rows rows_in(Buffer& buffer, int rows, int cols) { return {buffer.as<float>(), rows, cols, static_cast<size_t>(cols)}; }

// The largest difference of sampled rows from what the scalar tier computes, relative to their root mean square.
double scalar_difference(const LinearSource& source, Rows in, Rows out) {
  const char* tier = std::getenv("EMBED4J_CPU_TIER");
  const std::string before = tier == nullptr ? "" : tier;
  setenv("EMBED4J_CPU_TIER", "scalar", 1);
  const std::unique_ptr<Backend> backend = cpu::make_cpu_backend(0);
  tier == nullptr ? unsetenv("EMBED4J_CPU_TIER") : setenv("EMBED4J_CPU_TIER", before.c_str(), 1);
  const std::unique_ptr<Linear> linear = backend->make_linear(source);
  const std::unique_ptr<Workspace> workspace = backend->make_workspace();
  Buffer buffer(static_cast<size_t>(out.cols) * sizeof(float));
  double worst = 0;
  for (int i = 0; i < kSamples; ++i) {
    const int row = i * (in.rows - 1) / (kSamples - 1);
    const Rows expected = rows_in(buffer, 1, out.cols);
    backend->linear(*workspace, in.slice(row, 1), *linear, expected, {});
    double squares = 0, largest = 0;
    for (int c = 0; c < out.cols; ++c) {
      squares += static_cast<double>(expected.data[c]) * expected.data[c];
      largest = std::max(largest, std::abs(static_cast<double>(out.row(row)[c]) - expected.data[c]));
    }
    worst = std::max(worst, largest / std::sqrt(squares / out.cols));
  }
  return worst;
}

}  // namespace

void bench_gemm(const std::string& type, int m, int n, int k) {
  const DType dtype = type_named(type);
  if (m < 1 || n < 1 || k < 1 || k % 32 != 0) throw Error(E4J_INVALID_ARGUMENT, "M, N and K are at least 1, K a multiple of 32");
  const std::unique_ptr<Backend> backend = cpu::make_cpu_backend(0);
  const std::unique_ptr<Workspace> workspace = backend->make_workspace();
  const std::vector<std::byte> stored = weights(dtype, n, k);
  const LinearSource source{"bench", dtype, n, k, stored.data(), nullptr, {}};
  std::vector<std::unique_ptr<Linear>> layers;
  do {
    layers.push_back(backend->make_linear(source));
  } while (layers.size() * layers.front()->bytes < kTogether);

  Buffer in_buffer(static_cast<size_t>(m) * static_cast<size_t>(k) * sizeof(float));
  Buffer out_buffer(static_cast<size_t>(m) * static_cast<size_t>(n) * sizeof(float));
  const Rows in = rows_in(in_buffer, m, k), out = rows_in(out_buffer, m, n);
  test::Random random(2);
  for (size_t i = 0; i < static_cast<size_t>(m) * static_cast<size_t>(k); ++i) in.data[i] = random.normal();

  size_t turn = 0;
  const std::vector<double> times = time_calls([] {}, [&] { backend->linear(*workspace, in, *layers[turn++ % layers.size()], out, {}); });
  const double operations = 2.0 * m * n * k;
  const Rate limit = peak(dtype == DType::BF16 ? Unit::BF16 : dtype == DType::F32 || dtype == DType::F16 ? Unit::F32 : Unit::Int8);
  const double seconds = median(times), difference = scalar_difference(source, in, out);
  if (!(difference < 1e-3)) throw Error(E4J_INTERNAL, type + " differs from the scalar tier by " + std::to_string(difference));
  Reply()
      .put("bench", "gemm").put("type", type).put("m", m).put("n", n).put("k", k)
      .put("tier", cpu::selected_kernels().tier).put("runs", static_cast<double>(times.size()))
      .put("seconds", seconds).put("least_seconds", *std::min_element(times.begin(), times.end()))
      .put("gops", operations / seconds * 1e-9).put("peak_gops", limit.per_second * 1e-9).put("peak_instruction", limit.instruction)
      .put("of_peak", operations / seconds / limit.per_second)
      .put("weight_gb_per_s", static_cast<double>(stored.size()) / seconds * 1e-9)
      .put("scalar_difference", difference)
      .put_hash("hash", hash(out.data, static_cast<size_t>(m) * static_cast<size_t>(n) * sizeof(float)))
      .print();
}

}  // namespace e4j::bench
