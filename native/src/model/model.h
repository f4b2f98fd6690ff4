// A model: the text decoder, and where their files are given, the adapters, the multi-vector head and the vision tower.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "embed4j.h"
#include "model/text_decoder.h"
#include "model/vision_encoder.h"

namespace e4j {

struct ModelPaths {
  std::string text, vision, multivector;  // vision, multivector: empty when absent
  std::vector<std::string> adapters;      // by adapter index
};

class Model {
 public:
  Model(const ModelPaths& paths, std::unique_ptr<Backend> backend, int num_threads);

  Backend& backend() const { return *backend_; }
  e4j_model_info info() const;

 private:
  friend class Session;

  struct Adapter {
    WeightFile file;
    std::string task;  // empty when the file does not say
    float scale;
  };
  void load_multivector(WeightFile& file, std::span<const Adapter> adapters);
  void load_vision(WeightFile& file);
  void finish(WeightFile& file);

  std::unique_ptr<Backend> backend_;
  int num_threads_;
  int num_adapters_;
  // Files whose weights are used where they are mapped. Everything is copied out of the others: once open, a model does not notice
  // what becomes of them.
  std::vector<std::unique_ptr<GgufFile>> in_place_;
  TextConfig config_;
  std::unique_ptr<Table> token_embd_;  // [vocab_size][hidden_size]
  std::unique_ptr<TextDecoder> decoder_;
  std::unique_ptr<Linear> multivector_;  // [dim][hidden_size]; null when absent
  std::unique_ptr<VisionEncoder> vision_;  // null when absent
};

// The working memory of one call at a time.
class Session {
 public:
  explicit Session(Model& model);

  // Checks everything about the batch, then computes it (e4j_embed).
  void embed(const e4j_batch& batch, const e4j_result& result);

 private:
  bool see(const e4j_batch& batch, Rows x);
  void multi_vectors(const e4j_batch& batch, Rows hidden, std::span<const AdapterSegment> segments, float* out);

  Model& model_;
  std::unique_ptr<Workspace> workspace_;
  VisionEncoder::State vision_state_;
  RowMemory x_, pooled_, multi_vectors_;
};

}  // namespace e4j
