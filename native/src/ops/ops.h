// The operations a backend implements, and nothing else that the model may ask of it. The model and the C functions have
// checked every shape; backends take them as given. Matrices are rows of float32 in the backend's own memory, which on a
// device only the backend may read; index arrays (spans) lie in the caller's.
#pragma once
#include <cstdint>
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
  const std::byte* weight;         // [out_features][row_bytes(type, in_features)], or packed
  const float* bias = nullptr;     // [out_features] or null
  std::vector<LoraSource> adapters;  // by adapter index; empty: the layer is not adapted
  bool may_round = false;            // to 8-bit floating point, where the caller asked for that
  bool packed = false;               // weight is packed_bytes(type, out_features, in_features) of panels (tensor/packed.h), which stay there
};

// A backend's own form of a linear layer: y = W x + b + scale_t * B_t (A_t x).
class Linear {
 public:
  virtual ~Linear() = default;
  DType type = DType::F32;  // of the weights
  int out_features = 0, in_features = 0;
  uint64_t bytes = 0;  // held for it
};

// A look-up table of rows, as the file stores them.
class Table {
 public:
  virtual ~Table() = default;
  uint64_t bytes = 0;  // held for it
};

// Memory of a backend.
class Memory {
 public:
  explicit Memory(size_t bytes) : bytes_(bytes) {}
  virtual ~Memory() = default;
  size_t bytes() const noexcept { return bytes_; }
  float* floats() const noexcept { return data_; }

 protected:
  float* data_ = nullptr;

 private:
  size_t bytes_;
};

// What a model comes to, before the first of its weights is made.
struct ModelSize {
  uint64_t values = 0;        // of the linear layers' matrices
  uint64_t decoder_values = 0;  // among them
  uint64_t stored_bytes = 0;  // of the same, as the files hold them
  uint64_t table_values = 0;
  uint64_t adapter_values = 0;
  bool packed = false;        // some of the files are (tensor/packed.h)
  int hidden_size = 0, intermediate_size = 0;  // of the text decoder
};

// The rotary angles of a batch: row r's pair j turns by positions[axis[j]][r] * inv_freq[j].
struct RotaryAngles {
  int rows;
  std::span<const int32_t> positions;  // [axes][rows]
  std::span<const int32_t> axis;       // [half]
  std::span<const float> inv_freq;     // [half]; half: head_dim / 2
};

// cos and sin [rows][half] of those angles, in the backend's memory.
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

// The sequences of a packed batch, as a backend's attention wants them; made once for all layers of a pass.
class Sequences {
 public:
  virtual ~Sequences() = default;
};

// The layers that an attention block consists of; q, k and v made together.
struct AttentionLayer {
  const float* norm_weight;  // [hidden], the backend's memory
  float eps;
  const Linear *q, *k, *v, *output;
  AttentionShape shape;
};

// The layers of a gated perceptron; gate and up made together.
struct GatedMlpLayer {
  const float* norm_weight;  // [hidden], the backend's memory
  float eps;
  const Linear *gate, *up, *down;
};

// A workspace holds a backend's scratch memory; one per session, used by one call at a time.
class Workspace {
 public:
  virtual ~Workspace() = default;
};

// A pass over the model, until it is destroyed.
class Pass {
 public:
  virtual ~Pass() = default;
};

struct PassOptions {
  const int32_t* cancel = nullptr;  // non-zero: the pass is to end with E4J_CANCELLED
  bool background = false;          // gives way to passes that are not
};

class Backend {
 public:
  virtual ~Backend() = default;

  // "cpu avx512_bf16, 2 threads"
  virtual std::string description() const = 0;
  // Called once, before the first weight is made: the backend decides how it will hold them. Fails with E4J_OUT_OF_MEMORY,
  // saying what is needed and what is free, when they cannot fit.
  virtual void plan(const ModelSize& size) = 0;
  virtual std::unique_ptr<Linear> make_linear(const LinearSource& source) = 0;
  // Layers that will always be given the same input, in this order.
  virtual std::vector<std::unique_ptr<Linear>> make_linears(std::span<const LinearSource> sources) {
    std::vector<std::unique_ptr<Linear>> linears;
    for (const LinearSource& source : sources) linears.push_back(make_linear(source));
    return linears;
  }
  // stays: its data outlives the table.
  virtual std::unique_ptr<Table> make_table(const GgufTensor& table, bool stays) = 0;
  // Constants, such as a norm's weights.
  virtual std::unique_ptr<Memory> make_vector(std::span<const float> values) = 0;
  // Uninitialised. Fails with E4J_OUT_OF_MEMORY or std::bad_alloc.
  virtual std::unique_ptr<Memory> make_memory(size_t bytes) = 0;
  virtual std::unique_ptr<Workspace> make_workspace() = 0;

  // A pass begins: everything below until its end belongs to it. What sessions must share takes turns. A backend that can
  // ends or interrupts a pass within an operation; the model looks at `cancel` between layers in any case. A backend may put
  // off its work until to_caller: rows and weights that a call names stay until then, or until the pass has failed.
  virtual std::unique_ptr<Pass> begin(Workspace&, const PassOptions& = {}) = 0;
  // The caller's values [rows][cols] as rows, placed in `memory` unless the backend reads them where they are.
  virtual Rows from_caller(Workspace&, const float* values, int rows, int cols, class RowMemory& memory) = 0;
  // out[rows][cols] = from, once everything before is done.
  virtual void to_caller(Workspace&, Rows from, float* out) = 0;

  virtual RotaryTable rotary_table(Workspace&, const RotaryAngles&) = 0;
  // cu_seqlens [sequences + 1]; it must stay where it is as long as the result is used.
  virtual std::unique_ptr<Sequences> sequences(Workspace&, std::span<const int32_t> cu_seqlens, const AttentionShape&) = 0;

  // out[i] = table[ids[i]]
  virtual void embed(Workspace&, const Table& table, std::span<const int32_t> ids, Rows out) = 0;
  // out = x / rms(x) * weight[cols]
  virtual void rms_norm(Workspace&, Rows x, const float* weight, float eps, Rows out) = 0;

  // x += output(softmax(q k^T * softmax_scale) v) with q, k, v = their linears of rms_norm(x), q and k rotated: each head of
  // each row, NEOX halves. Per sequence and head.
  virtual void attention_layer(Workspace&, Rows x, const AttentionLayer&, RotaryTable, const Sequences&,
                               std::span<const AdapterSegment>) = 0;
  // x += down(silu(gate(n)) * up(n)),  n = rms_norm(x)
  virtual void gated_mlp(Workspace&, Rows x, const GatedMlpLayer&, std::span<const AdapterSegment>) = 0;
  // out = linear(in)
  virtual void linear(Workspace&, Rows in, const Linear& linear, Rows out, std::span<const AdapterSegment>) = 0;
  // x = gelu(x), exact (erf)
  virtual void gelu(Workspace&, Rows x) = 0;

  // out[i] = in[index[i]]
  virtual void gather_rows(Workspace&, Rows in, std::span<const int32_t> index, Rows out) = 0;
  // out[index[i]] = in[i]
  virtual void scatter_rows(Workspace&, Rows in, std::span<const int32_t> index, Rows out) = 0;
  // out[i] = mean of in's rows [ranges[2i], ranges[2i+1])
  virtual void mean_rows(Workspace&, Rows in, std::span<const int32_t> ranges, Rows out) = 0;
  // x / max(|x|, 1e-12), per row
  virtual void l2_normalize(Workspace&, Rows x) = 0;
};

// One array of rows in a backend's memory, which grows as needed.
class RowMemory {
 public:
  explicit RowMemory(Backend& backend) : backend_(backend) {}

  // Contents undefined; rows handed out before are gone.
  Rows rows(int rows, int cols) {
    const size_t bytes = static_cast<size_t>(rows) * static_cast<size_t>(cols) * sizeof(float);
    if (!memory_ || bytes > memory_->bytes()) memory_ = nullptr, memory_ = backend_.make_memory(bytes);
    return {memory_->floats(), rows, cols, static_cast<size_t>(cols)};
  }

 private:
  Backend& backend_;
  std::unique_ptr<Memory> memory_;
};

}  // namespace e4j
