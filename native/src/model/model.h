// A model: the text decoder, and where their files are given, the adapters, the multi-vector head and the vision tower.
#pragma once
#include <memory>
#include <mutex>
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
  void load_token_embd(WeightFile& text);
  void load_multivector(const std::string& path, std::span<const Adapter> adapters);
  void load_vision(const std::string& path);

  std::unique_ptr<Backend> backend_;
  int num_threads_;
  int num_adapters_;
  // Everything is copied out of the files: once open, a model does not notice what becomes of them.
  TextConfig config_;
  Buffer token_embd_data_;
  GgufTensor token_embd_;  // [vocab_size][hidden_size], as stored
  std::unique_ptr<TextDecoder> decoder_;
  std::unique_ptr<Linear> multivector_;  // [dim][hidden_size]; null when absent
  std::unique_ptr<VisionEncoder> vision_;  // null when absent
  std::mutex turn_;                      // sessions share the backend's threads and take turns
};

// The working memory of one call at a time.
class Session {
 public:
  explicit Session(Model& model) : model_(model), workspace_(model.backend_->make_workspace()) {}

  // Checks everything about the batch, then computes it (e4j_embed).
  void embed(const e4j_batch& batch, const e4j_result& result);

 private:
  bool see(const e4j_batch& batch, Rows x);
  void multi_vectors(const e4j_batch& batch, Rows hidden, std::span<const AdapterSegment> segments, float* out);

  Model& model_;
  std::unique_ptr<Workspace> workspace_;
  TextDecoder::State state_;
  VisionEncoder::State vision_state_;
  Buffer x_;
};

}  // namespace e4j
