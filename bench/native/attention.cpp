// Attention of the CPU backend alone; samples of the answer are compared with the definition, in double.
#include <cmath>
#include <cstring>
#include <memory>

#include "base/buffer.h"
#include "base/status.h"
#include "bench.h"
#include "cpu/cpu_backend.h"
#include "cpu/dispatch.h"
#include "random.h"

namespace e4j::bench {
namespace {

Rows normals(Buffer& buffer, int rows, int cols, uint64_t seed) {
  const Rows x{buffer.as<float>(), rows, cols, static_cast<size_t>(cols)};
  test::Random random(seed);
  for (size_t i = 0; i < static_cast<size_t>(rows) * static_cast<size_t>(cols); ++i) x.data[i] = random.normal();
  return x;
}

// |found - expected| of one head of one row, relative to the length of what is expected.
double difference(const float* found, const float* q, Rows k, Rows v, int head_at, int begin, int end, const AttentionShape& shape) {
  const int d = shape.head_dim;
  std::vector<double> weights, expected(static_cast<size_t>(d));
  double largest = -INFINITY, sum = 0;
  for (int t = begin; t < end; ++t) {
    double dot = 0;
    for (int i = 0; i < d; ++i) dot += static_cast<double>(q[i]) * k.row(t)[head_at + i];
    weights.push_back(dot * shape.softmax_scale);
    largest = std::max(largest, weights.back());
  }
  for (double& w : weights) sum += w = std::exp(w - largest);
  for (int t = begin; t < end; ++t) {
    for (int i = 0; i < d; ++i) expected[static_cast<size_t>(i)] += weights[static_cast<size_t>(t - begin)] / sum * v.row(t)[head_at + i];
  }
  double squares = 0, wrong = 0;
  for (int i = 0; i < d; ++i) {
    const double e = expected[static_cast<size_t>(i)];
    squares += e * e;
    wrong += (found[i] - e) * (found[i] - e);
  }
  return std::sqrt(wrong / squares);
}

}  // namespace

void bench_attention(int num_heads, int num_key_value_heads, int head_dim, bool causal, int count, int length) {
  if (num_heads < 1 || num_key_value_heads < 1 || num_heads % num_key_value_heads != 0 || head_dim < 16 || count < 1 || length < 1) {
    throw Error(E4J_INVALID_ARGUMENT, "heads, key/value heads (dividing them), head size (from 16), sequences and their length");
  }
  const std::unique_ptr<cpu::CpuBackend> backend = cpu::make_cpu_backend(0);
  const std::unique_ptr<Workspace> workspace = backend->make_workspace();
  const int rows = count * length, wide = num_heads * head_dim, narrow = num_key_value_heads * head_dim;
  const size_t wide_bytes = sizeof(float) * static_cast<size_t>(rows) * static_cast<size_t>(wide);
  Buffer q_buffer(wide_bytes), out_buffer(wide_bytes);
  Buffer k_buffer(wide_bytes / static_cast<size_t>(wide) * static_cast<size_t>(narrow)), v_buffer(k_buffer.size());
  const Rows q = normals(q_buffer, rows, wide, 1), k = normals(k_buffer, rows, narrow, 2), v = normals(v_buffer, rows, narrow, 3);
  const Rows out{out_buffer.as<float>(), rows, wide, static_cast<size_t>(wide)};
  std::vector<int32_t> cu_seqlens;
  for (int i = 0; i <= count; ++i) cu_seqlens.push_back(i * length);
  const AttentionShape shape{num_heads, num_key_value_heads, head_dim, causal, true, 1 / std::sqrt(static_cast<float>(head_dim))};

  const std::vector<double> times = time_calls([&] { std::memcpy(out.data, q.data, wide_bytes); },
                                               [&] { backend->attention(*workspace, out, k, v, cu_seqlens, shape); }, length > 4096 ? 3 : 5);
  double worst = 0;
  for (int i = 0; i < 16; ++i) {
    const int row = static_cast<int>(static_cast<int64_t>(rows - 1) * i / 15), head = i * 5 % num_heads;
    const int begin = row / length * length, end = causal ? row + 1 : begin + length;
    worst = std::max(worst, difference(out.row(row) + head * head_dim, q.row(row) + head * head_dim, k, v,
                                       head / (num_heads / num_key_value_heads) * head_dim, begin, end, shape));
  }
  if (!(worst < 0.02)) throw Error(E4J_INTERNAL, "attention differs from its definition by " + std::to_string(worst));
  const double pairs = count * (causal ? length * (length + 1.0) / 2 : static_cast<double>(length) * length);
  const double operations = 4.0 * num_heads * head_dim * pairs, seconds = median(times);
  const Rate limit = peak(Unit::BF16);
  Reply()
      .put("bench", "attention").put("heads", num_heads).put("key_value_heads", num_key_value_heads).put("head_dim", head_dim)
      .put("causal", causal).put("sequences", count).put("length", length)
      .put("tier", cpu::selected_kernels().tier).put("runs", static_cast<double>(times.size()))
      .put("seconds", seconds).put("least_seconds", *std::min_element(times.begin(), times.end()))
      .put("gops", operations / seconds * 1e-9).put("peak_gops", limit.per_second * 1e-9).put("peak_instruction", limit.instruction)
      .put("of_peak", operations / seconds / limit.per_second)
      .put("difference", worst).put_hash("hash", hash(out.data, wide_bytes))
      .print();
}

}  // namespace e4j::bench
