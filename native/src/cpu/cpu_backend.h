// The CPU backend: every operation of ops.h on one persistent thread pool.
#pragma once
#include <memory>

#include "ops/ops.h"

namespace e4j::cpu {

// With the operations that its attention layer consists of.
class CpuBackend : public Backend {
 public:
  // outs[i] = linears[i](rms_norm(x)); one pass over x for all of them
  virtual void norm_linear(Workspace&, Rows x, const float* norm_weight, float eps, std::span<const Linear* const> linears,
                           std::span<const Rows> outs, std::span<const AdapterSegment>) = 0;
  // x += linear(in)
  virtual void linear_residual(Workspace&, Rows in, const Linear& linear, Rows x, std::span<const AdapterSegment>) = 0;
  // Each head of each row of x[rows][num_heads * 2 * half] is rotated (NEOX halves).
  virtual void rotate(Rows x, int num_heads, RotaryTable table) = 0;
  // softmax(q k^T * softmax_scale) v per sequence and head; the result replaces q.
  // q [rows][num_heads * head_dim], k, v [rows][num_key_value_heads * head_dim]; cu_seqlens [sequences + 1]
  virtual void attention(Workspace&, Rows q, Rows k, Rows v, std::span<const int32_t> cu_seqlens, const AttentionShape&) = 0;
};

// num_threads 0: every processor this process may use. Takes the tier selected now (dispatch.h).
std::unique_ptr<CpuBackend> make_cpu_backend(int num_threads);

}  // namespace e4j::cpu
