// The operations a backend implements, and nothing else that the model may ask of it. Shapes are checked once, in ops.cpp;
// backends take them as given. All matrices are rows of float32 in the backend's own memory.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gguf/gguf.h"

namespace e4j {

// data[rows][stride], of which `cols` columns are meant.
struct Rows {
  float* data = nullptr;
  int rows = 0, cols = 0;
  size_t stride = 0;

  float* row(int r) const noexcept { return data + static_cast<size_t>(r) * stride; }
  Rows slice(int begin, int count) const noexcept { return {row(begin), count, cols, stride}; }
};

// Rows [begin, end) of a packed batch that share an adapter; -1: none.
struct AdapterSegment {
  int begin, end, adapter;
};

// One adapter of a linear layer: y += scale * B (A x).
struct LoraSource {
  const GgufTensor* a;  // [rank][in_features]
  const GgufTensor* b;  // [out_features][rank]
  float scale;          // alpha / rank
};

// Where a linear layer's weights lie; shapes and types already checked by the model.
struct LinearSource {
  std::string name;
  DType type;
  int out_features, in_features;
  const std::byte* weight;         // [out_features][row_bytes(type, in_features)]
  const float* bias = nullptr;     // [out_features] or null
  std::vector<LoraSource> adapters;  // by adapter index; empty: the layer is not adapted
};

// A backend's own form of a linear layer: y = W x + b + scale_t * B_t (A_t x).
class Linear {
 public:
  virtual ~Linear() = default;
  DType type = DType::F32;  // of the weights
  int out_features = 0, in_features = 0;
  uint64_t bytes = 0;  // held for it
};

// cos and sin [rows][half] of the rotary position of each row.
struct RotaryTable {
  const float* cos;
  const float* sin;
  int half;  // head_dim / 2
};

struct AttentionShape {
  int num_heads, num_key_value_heads, head_dim;
  bool causal;
  bool bf16;  // queries, keys, values and probabilities may be rounded to bf16 before they are multiplied
  float softmax_scale;
};

// A workspace holds a backend's scratch memory; one per session, used by one call at a time.
class Workspace {
 public:
  virtual ~Workspace() = default;
};

class Backend {
 public:
  virtual ~Backend() = default;

  // "cpu avx512_bf16, 2 threads"
  virtual std::string description() const = 0;
  virtual std::unique_ptr<Linear> make_linear(const LinearSource& source) = 0;
  virtual std::unique_ptr<Workspace> make_workspace() = 0;

  // out[i] = table[ids[i]]
  virtual void embed(const GgufTensor& table, std::span<const int32_t> ids, Rows out) = 0;
  // out = x / rms(x) * weight[cols]
  virtual void rms_norm(Rows x, const float* weight, float eps, Rows out) = 0;

  // outs[i] = linears[i](rms_norm(x)); one pass over x for all of them
  virtual void norm_linear(Workspace&, Rows x, const float* norm_weight, float eps, std::span<const Linear* const> linears,
                           std::span<const Rows> outs, std::span<const AdapterSegment>) = 0;
  // x += down(silu(gate(n)) * up(n)),  n = rms_norm(x)
  virtual void gated_mlp(Workspace&, Rows x, const float* norm_weight, float eps, const Linear& gate, const Linear& up,
                         const Linear& down, std::span<const AdapterSegment>) = 0;
  // out = linear(in)
  virtual void linear(Workspace&, Rows in, const Linear& linear, Rows out, std::span<const AdapterSegment>) = 0;
  // x += linear(in)
  virtual void linear_residual(Workspace&, Rows in, const Linear& linear, Rows x, std::span<const AdapterSegment>) = 0;
  // x = gelu(x), exact (erf)
  virtual void gelu(Rows x) = 0;

  // Each head of each row of x[rows][num_heads * 2 * half] is rotated (NEOX halves).
  virtual void rotate(Rows x, int num_heads, RotaryTable table) = 0;
  // softmax(q k^T * softmax_scale) v per sequence and head; the result replaces q.
  // q [rows][num_heads * head_dim], k, v [rows][num_key_value_heads * head_dim]; cu_seqlens [sequences + 1]
  virtual void attention(Workspace&, Rows q, Rows k, Rows v, std::span<const int32_t> cu_seqlens, const AttentionShape&) = 0;

  // out[i] = in[index[i]]
  virtual void gather_rows(Rows in, std::span<const int32_t> index, Rows out) = 0;
  // out[index[i]] = in[i]
  virtual void scatter_rows(Rows in, std::span<const int32_t> index, Rows out) = 0;
  // out[i] = mean of in's rows [ranges[2i], ranges[2i+1])
  virtual void mean_rows(Rows in, std::span<const int32_t> ranges, Rows out) = 0;
  // x / max(|x|, 1e-12), per row
  virtual void l2_normalize(Rows x) = 0;
};

}  // namespace e4j
