#include "cuda/call_queue.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "base/status.h"

namespace e4j::cuda {
namespace {

bool graphs_wanted() {
  const char* value = std::getenv("EMBED4J_CUDA_GRAPHS");
  const std::string_view word = value != nullptr ? value : "";
  if (!word.empty() && word != "on" && word != "off")
    fail(E4J_INVALID_ARGUMENT, "EMBED4J_CUDA_GRAPHS is \"%s\", expected on or off", value);
  return word != "off";
}

// How a call is issued.
struct Issue {
  const Device& device;
  GemmPlans& plans;
  void* gemm_memory;
  Stream stream;

  const DeviceApi& api() const { return device.api(); }
  void check(int error, const char* what) const { device.check(error, what); }

  void operator()(const Transfer& c) const { check(api().copy(c.to, c.from, c.bytes, stream), "copying"); }
  void operator()(const ClearRows& c) const { check(api().clear_rows(c.memory, c.row_bytes, c.stride_bytes, c.rows, stream), "clearing"); }
  void operator()(const NormRows& c) const { check(api().norm_rows(c, stream), "RMSNorm"); }
  void operator()(const CastRows& c) const { check(api().cast_rows(c, stream), "rounding to bf16"); }
  void operator()(const QuantizeRows& c) const { check(api().quantize_rows(c, stream), "rounding to fp8"); }
  void operator()(const RotaryRows& c) const { check(api().rotary_table(c, stream), "the rotary table"); }
  void operator()(const RotateRows& c) const { check(api().rotate_rows(c, stream), "rotation"); }
  void operator()(const SwigluRows& c) const { check(api().swiglu_rows(c, stream), "SwiGLU"); }
  void operator()(const GeluRows& c) const { check(api().gelu_rows(c, stream), "GELU"); }
  void operator()(const IndexedRows& c) const { check(api().indexed_rows(c, stream), c.scatter ? "scattering rows" : "gathering rows"); }
  void operator()(const EmbedRows& c) const { check(api().embed_rows(c, stream), "the embedding table"); }
  void operator()(const MeanRows& c) const { check(api().mean_rows(c, stream), "pooling"); }
  void operator()(const NormalizeRows& c) const { check(api().normalize_rows(c, stream), "normalising"); }
  void operator()(const FlashAttention& c) const { check(api().attention(c, stream), "attention"); }
  void operator()(const Matmul& c) const { check(api().matmul(c, stream), "a product"); }
  void operator()(const Gemm& c) const { plans.run(c, gemm_memory, stream); }
};

}  // namespace

CallQueue::CallQueue(const Device& device, const CublasLt& cublas)
    : device_(device), plans_(cublas), gemm_memory_(device, kGemmWorkspaceBytes), use_graphs_(graphs_wanted()) {
  check(device.api().create_stream(&stream_), "making a stream");
}

CallQueue::~CallQueue() {
  abandon();
  for (const Seen& seen : seen_)
    if (seen.graph != nullptr) device_.api().destroy_graph(seen.graph);
  device_.api().destroy_stream(stream_);
}

void CallQueue::add(const Call& call) {
  if (const auto* norm = std::get_if<NormRows>(&call)) most_rows_ = std::max(most_rows_, norm->rows);
  calls_.push_back(call);
  if (!keeps()) flush();
}

void CallQueue::flush() {
  if (calls_.empty()) return;
  if (!keeps()) {
    issue();
    calls_.clear();
    return;
  }
  const auto found = std::find_if(seen_.begin(), seen_.end(), [&](const Seen& s) { return s.calls == calls_; });
  if (found != seen_.end()) {
    seen_.splice(seen_.begin(), seen_, found);
    if (found->graph == nullptr) found->graph = capture();
    check(device_.api().launch_graph(found->graph, stream_), "launching a graph");
    ++replays_;
  } else {
    issue();  // which loads kernels and chooses algorithms, neither of which a capture may do
    seen_.push_front({calls_});
    if (seen_.size() > kMostGraphs) {
      if (seen_.back().graph != nullptr) check(device_.api().destroy_graph(seen_.back().graph), "giving up a graph");
      seen_.pop_back();
    }
  }
  calls_.clear();
}

void CallQueue::finish() {
  flush();
  check(device_.api().synchronize(stream_), "computing a batch");
}

void CallQueue::restart() {
  calls_.clear();
  most_rows_ = 0;
  check(device_.api().synchronize(stream_), "finishing an earlier batch");
}

void CallQueue::abandon() noexcept {
  calls_.clear();
  device_.api().use(device_.index());
  device_.api().synchronize(stream_);
}

size_t CallQueue::graphs() const noexcept {
  return static_cast<size_t>(std::count_if(seen_.begin(), seen_.end(), [](const Seen& s) { return s.graph != nullptr; }));
}

void CallQueue::issue() {
  const Issue to{device_, plans_, gemm_memory_.data(), stream_};
  for (const Call& call : calls_) std::visit(to, call);
}

Graph CallQueue::capture() {
  constexpr char kHint[] = "making a graph (EMBED4J_CUDA_GRAPHS=off does without)";
  Graph graph = nullptr;
  check(device_.api().begin_capture(stream_), kHint);
  try {
    issue();
  } catch (...) {
    // The stream must leave its capture whatever came of it.
    if (device_.api().end_capture(stream_, &graph) == 0) device_.api().destroy_graph(graph);
    throw;
  }
  check(device_.api().end_capture(stream_, &graph), kHint);
  return graph;
}

}  // namespace e4j::cuda
