// The calls of a pass to the device. A small batch takes the host longer to issue, call by call, than the device to compute; so its
// calls are kept until the host needs a result, and where the same came before, down to every address and shape, they are made a
// CUDA graph, which is launched in their place from then on. What a batch computes on is not part of its calls: it lies in the
// pinned memory that they copy from, so a graph always sees the batch at hand. The calls of a large batch are issued as they come.
#pragma once
#include <cstdint>
#include <list>
#include <variant>
#include <vector>

#include "cuda/cublas_lt.h"
#include "cuda/cuda_memory.h"

namespace e4j::cuda {

struct Transfer {
  void* to;
  const void* from;
  size_t bytes;
  bool operator==(const Transfer&) const = default;
};
struct ClearRows {
  void* memory;
  size_t row_bytes, stride_bytes;
  int rows;
  bool operator==(const ClearRows&) const = default;
};
struct GeluRows : FloatRows {
  bool operator==(const GeluRows&) const = default;
};
struct NormalizeRows : FloatRows {
  bool operator==(const NormalizeRows&) const = default;
};

using Call = std::variant<Transfer, ClearRows, NormRows, CastRows, QuantizeRows, RotaryRows, RotateRows, SwigluRows, GeluRows,
                          IndexedRows, EmbedRows, MeanRows, NormalizeRows, FlashAttention, Matmul, Gemm>;

// One session's stream with its calls. Whoever uses it has made the device the thread's own.
class CallQueue {
 public:
  static constexpr int kGraphRows = 256;    // tokens of a batch up to which graphs are made
  static constexpr size_t kMostGraphs = 32;  // of several MB each; the one not used for longest goes

  CallQueue(const Device& device, const CublasLt& cublas);
  ~CallQueue();
  CallQueue(const CallQueue&) = delete;

  // What the call reads and writes must stay until the next `finish`, or `flush` where it is on the device.
  void add(const Call& call);
  // Issues what was added.
  void flush();
  // Issues it and waits for it.
  void finish();
  // Forgets what a pass that failed has left and waits for what it had issued.
  void restart();
  // As restart, before memory goes that calls may still use.
  void abandon() noexcept;

  size_t graphs() const noexcept;                         // held now
  uint64_t replays() const noexcept { return replays_; }  // launches in place of calls

 private:
  // Calls seen before; the graph is made when they come a second time.
  struct Seen {
    std::vector<Call> calls;
    Graph graph = nullptr;
  };
  bool keeps() const noexcept { return use_graphs_ && most_rows_ <= kGraphRows; }
  void issue();
  Graph capture();
  void check(int error, const char* what) const { device_.check(error, what); }

  const Device& device_;
  GemmPlans plans_;
  DeviceMemory gemm_memory_;
  Stream stream_ = nullptr;
  bool use_graphs_;
  int most_rows_ = 0;  // of a norm among calls_
  std::vector<Call> calls_;
  std::list<Seen> seen_;  // the latest first
  uint64_t replays_ = 0;
};

}  // namespace e4j::cuda
