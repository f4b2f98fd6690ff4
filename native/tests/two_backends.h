// The CUDA backend beside the CPU's scalar one, and layers for both.
#pragma once
#include <cmath>
#include <cstdlib>
#include <memory>

#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"
#include "random.h"
#include "tensor/quantize.h"
#include "test.h"

namespace e4j::test {

// bf16 keeps 8 bits: a relative error of about 2^-9 per rounding, of which the products and their inputs have a few.
inline constexpr double kTolerance = 0.02;

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
      failed(__FILE__, __LINE__, std::string(what) + ": relative error " + std::to_string(relative) + (finite ? "" : ", not finite"));
  }
};

inline Backends& backends() {
  static Backends both;
  return both;
}

// Rows of a backend with the caller's values; `memory` owns them.
inline Rows placed(Backend& b, Workspace& ws, const std::vector<float>& values, int rows, std::vector<std::unique_ptr<RowMemory>>& memory) {
  memory.push_back(std::make_unique<RowMemory>(b));
  const int cols = static_cast<int>(values.size()) / rows;
  const Rows from = b.from_caller(ws, values.data(), rows, cols, *memory.back());
  if (from.data != values.data()) return from;
  // The CPU reads the caller's values in place: a copy that may be written.
  const Rows copy = memory.back()->rows(rows, cols);
  std::copy(values.begin(), values.end(), copy.data);
  return copy;
}

inline std::vector<float> fetched(Backend& b, Workspace& ws, Rows rows) {
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
  // adapters: of ranks 12, 32, 52 and so on
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
inline constexpr int kCounts[] = {1, 5, 64, 65, 150};  // 65 with 140 outputs, 64 and 150 with 192

// An environment variable, as long as it lives.
struct Variable {
  const char* name;
  Variable(const char* n, const char* value) : name(n) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name); }
};

}  // namespace e4j::test
