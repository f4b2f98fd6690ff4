// The backend's fused operations against their definitions in double, on every tier and weight type.
#include "cpu/cpu_backend.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "cpu/dispatch.h"
#include "random.h"
#include "tensor/quantize.h"
#include "test.h"

using namespace e4j;
using e4j::test::Random;

namespace {

// A linear layer with its stored and its exact form.
struct Layer {
  std::vector<std::byte> stored;
  std::vector<float> bias;
  struct Adapter {
    std::vector<std::byte> a, b;
    GgufTensor a_tensor, b_tensor;
    std::vector<float> a_values, b_values;
  };
  std::vector<std::unique_ptr<Adapter>> adapters;
  std::vector<float> values;
  int n, k;
  float scale = 0.75f;
  std::unique_ptr<Linear> linear;

  static void store(DType type, const std::vector<float>& source, int rows, int cols, std::vector<std::byte>& stored, std::vector<float>& values) {
    stored.resize(static_cast<size_t>(rows) * row_bytes(type, cols));
    values.resize(source.size());
    quantize_rows(type, source.data(), rows, cols, stored.data());
    dequantize_rows(type, stored.data(), rows, cols, values.data());
  }
  static GgufTensor tensor(DType type, int rows, int cols, const std::vector<std::byte>& data) {
    return {"lora", type, 2, {static_cast<uint64_t>(cols), static_cast<uint64_t>(rows), 1, 1}, data.data(), data.size()};
  }

  Layer(Backend& backend, DType type, int n_out, int k_in, int num_adapters, bool with_bias, Random& random) : n(n_out), k(k_in) {
    store(type, random.normals(static_cast<size_t>(n * k), 1 / std::sqrt(static_cast<float>(k))), n, k, stored, values);
    if (with_bias) bias = random.normals(static_cast<size_t>(n));
    LinearSource source{"test", type, n, k, stored.data(), with_bias ? bias.data() : nullptr, {}};
    const DType lora = type == DType::F32 || type == DType::F16 ? type : DType::BF16;
    for (int i = 0; i < num_adapters; ++i) {
      auto adapter = std::make_unique<Adapter>();
      const int rank = 8 + 16 * i;  // ranks differ, and one is no multiple of a panel
      store(lora, random.normals(static_cast<size_t>(rank * k), 1 / std::sqrt(static_cast<float>(k))), rank, k, adapter->a, adapter->a_values);
      store(lora, random.normals(static_cast<size_t>(n * rank), 0.3f), n, rank, adapter->b, adapter->b_values);
      adapter->a_tensor = tensor(lora, rank, k, adapter->a);
      adapter->b_tensor = tensor(lora, n, rank, adapter->b);
      adapters.push_back(std::move(adapter));
      source.adapters.push_back({&adapters.back()->a_tensor, &adapters.back()->b_tensor, scale});
    }
    linear = backend.make_linear(source);
  }

  std::vector<double> apply(const std::vector<double>& x, int adapter) const {
    std::vector<double> y(static_cast<size_t>(n));
    const auto dot = [&](const std::vector<float>& w, size_t row, const std::vector<double>& v) {
      double sum = 0;
      for (size_t i = 0; i < v.size(); ++i) sum += w[row * v.size() + i] * v[i];
      return sum;
    };
    for (size_t i = 0; i < y.size(); ++i) y[i] = dot(values, i, x) + (bias.empty() ? 0 : bias[i]);
    if (adapter >= 0 && !adapters.empty()) {
      const Adapter& lora = *adapters[static_cast<size_t>(adapter)];
      std::vector<double> t(lora.a_values.size() / static_cast<size_t>(k));
      for (size_t i = 0; i < t.size(); ++i) t[i] = scale * dot(lora.a_values, i, x);
      for (size_t i = 0; i < y.size(); ++i) y[i] += dot(lora.b_values, i, t);
    }
    return y;
  }
};

std::vector<double> rms_norm(const float* x, const std::vector<float>& weight) {
  std::vector<double> y(weight.size());
  double square = 0;
  for (size_t i = 0; i < y.size(); ++i) square += static_cast<double>(x[i]) * x[i];
  for (size_t i = 0; i < y.size(); ++i) y[i] = x[i] / std::sqrt(square / static_cast<double>(y.size()) + 1e-6) * weight[i];
  return y;
}

Rows rows(std::vector<float>& v, int count) { return {v.data(), count, static_cast<int>(v.size()) / count, v.size() / static_cast<size_t>(count)}; }

// 1 - cosine of the worst row: how far low-precision activations may turn a row.
double turn(const std::vector<float>& got, const std::vector<double>& want, int count) {
  const size_t cols = got.size() / static_cast<size_t>(count);
  double worst = 0;
  for (size_t r = 0; r < static_cast<size_t>(count); ++r) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t c = 0; c < cols; ++c) {
      const double a = got[r * cols + c], b = want[r * cols + c];
      ab += a * b, aa += a * a, bb += b * b;
    }
    worst = std::max(worst, 1 - ab / std::sqrt(aa * bb));
  }
  return worst;
}

// Activations keep their sign and 8 bits (bf16) or 8 bits of a block's largest value (quantised): relative errors of about
// 2^-9 and 2^-7, which turn a row by half their square.
double allowed_turn(DType type) {
  return type == DType::F32 || type == DType::F16 ? 1e-10 : type == DType::BF16 ? 1e-5 : 1e-4;
}

template <class Body>
void on_every_tier(Body&& body) {
  for (const auto& tier : cpu::available_tiers()) {
    ::setenv("EMBED4J_CPU_TIER", tier.c_str(), 1);
    const auto backend = cpu::make_cpu_backend(2);
    CHECK(backend->description().find(tier) != std::string::npos);
    body(*backend, tier);
  }
  ::unsetenv("EMBED4J_CPU_TIER");
}

constexpr DType kTypes[] = {DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_K, DType::Q5_K, DType::Q6_K};

}  // namespace

TEST(norm_linear_with_mixed_adapters) {
  on_every_tier([](cpu::CpuBackend& backend, const std::string& tier) {
    for (DType type : kTypes) {
      Random random(7);
      const int count = 21, k = 256;
      Layer first(backend, type, 80, k, 3, true, random), second(backend, type, 36, k, 0, false, random);
      std::vector<float> x = random.normals(static_cast<size_t>(count * k), 4), norm = random.normals(static_cast<size_t>(k));
      std::vector<float> y1(static_cast<size_t>(count * first.n)), y2(static_cast<size_t>(count * second.n));
      const AdapterSegment segments[] = {{0, 5, 2}, {5, 6, -1}, {6, 20, 0}, {20, 21, 1}};
      std::vector<double> want1, want2;
      for (const AdapterSegment& s : segments)
        for (int r = s.begin; r < s.end; ++r) {
          const auto n = rms_norm(&x[static_cast<size_t>(r * k)], norm);
          const auto a = first.apply(n, s.adapter), b = second.apply(n, s.adapter);
          want1.insert(want1.end(), a.begin(), a.end());
          want2.insert(want2.end(), b.begin(), b.end());
        }
      const auto ws = backend.make_workspace();
      const Linear* const linears[] = {first.linear.get(), second.linear.get()};
      const Rows outs[] = {rows(y1, count), rows(y2, count)};
      backend.norm_linear(*ws, rows(x, count), norm.data(), 1e-6f, linears, outs, segments);
      const double worst = std::max(turn(y1, want1, count), turn(y2, want2, count));
      if (!(worst < allowed_turn(type))) test::failed(__FILE__, __LINE__, tier + " " + dtype_name(type) + ": " + std::to_string(worst * 1e6) + "e-6");
    }
  });
}

TEST(gated_mlp_and_residual_over_more_rows_than_a_chunk) {
  on_every_tier([](cpu::CpuBackend& backend, const std::string& tier) {
    for (DType type : {DType::F32, DType::BF16, DType::Q8_0}) {
      Random random(8);
      const int count = tier == "scalar" ? 20 : 530, hidden = 64, ffn = 96;
      Layer gate(backend, type, ffn, hidden, 1, false, random), up(backend, type, ffn, hidden, 1, true, random);
      Layer down(backend, type, hidden, ffn, 1, false, random), out(backend, type, hidden, hidden, 0, true, random);
      const std::vector<float> start = random.normals(static_cast<size_t>(count * hidden));
      std::vector<float> x = start, norm = random.normals(static_cast<size_t>(hidden));
      const AdapterSegment segments[] = {{0, count / 2, 0}, {count / 2, count, -1}};
      const auto ws = backend.make_workspace();
      std::vector<double> want;
      for (int r = 0; r < count; ++r) {
        const int adapter = r < count / 2 ? 0 : -1;
        const auto n = rms_norm(&start[static_cast<size_t>(r * hidden)], norm);
        auto g = gate.apply(n, adapter);
        const auto u = up.apply(n, adapter);
        for (size_t i = 0; i < g.size(); ++i) g[i] = g[i] / (1 + std::exp(-g[i])) * u[i];
        auto d = down.apply(g, adapter);
        for (size_t i = 0; i < d.size(); ++i) d[i] += start[static_cast<size_t>(r * hidden) + i];
        const auto o = out.apply(d, adapter);
        for (size_t i = 0; i < d.size(); ++i) want.push_back(d[i] + o[i]);
      }
      backend.gated_mlp(*ws, rows(x, count), {norm.data(), 1e-6f, gate.linear.get(), up.linear.get(), down.linear.get()}, segments);
      std::vector<float> in = x;
      backend.linear_residual(*ws, rows(in, count), *out.linear, rows(x, count), segments);
      const double worst = turn(x, want, count);
      // Three roundings of activations follow each other.
      if (!(worst < 3 * allowed_turn(type))) test::failed(__FILE__, __LINE__, tier + " " + dtype_name(type) + ": " + std::to_string(worst * 1e6) + "e-6");
    }
  });
}

TEST(row_operations) {
  const auto backend = cpu::make_cpu_backend(2);
  const auto workspace = backend->make_workspace();
  Workspace& ws = *workspace;
  std::vector<float> x = {3, 4, 0, 0, 5, 12, 1, -1}, out(8), mean(4), embedded(4);
  backend->l2_normalize(ws, rows(x, 4));
  CHECK(std::fabs(x[0] - 0.6f) < 1e-7f && x[2] == 0 && std::fabs(x[5] - 12.0f / 13) < 1e-6f);
  const std::vector<int32_t> index = {2, 0, 3, 1}, ranges = {0, 2, 1, 4};
  backend->gather_rows(ws, rows(x, 4), index, rows(out, 4));
  CHECK(out[0] == x[4] && out[7] == x[3]);
  std::vector<float> back(8);
  backend->scatter_rows(ws, rows(out, 4), index, rows(back, 4));
  CHECK(back == x);
  backend->mean_rows(ws, rows(x, 4), ranges, rows(mean, 2));
  CHECK(std::fabs(mean[0] - 0.3f) < 1e-6f && std::fabs(mean[3] - (0 + 12.0f / 13 - std::sqrt(0.5f)) / 3) < 1e-6f);
  std::vector<float> g = {-1, 0, 2};
  backend->gelu(ws, rows(g, 1));
  CHECK(std::fabs(g[0] + 0.15865526f) < 1e-6f && g[1] == 0 && std::fabs(g[2] - 1.9544997f) < 1e-6f);
  const std::vector<int32_t> ids = {1, 0};
  const float table[] = {1, 2, 3, 4};
  const GgufTensor tensor{"t", DType::F32, 2, {2, 2, 1, 1}, reinterpret_cast<const std::byte*>(table), sizeof table};
  backend->embed(ws, *backend->make_table(tensor, false), ids, rows(embedded, 2));
  CHECK(embedded[0] == 3 && embedded[3] == 2);
}
