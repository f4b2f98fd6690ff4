// Weights asked for by name, with the shape they must have; what a file holds beyond that stops the load.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "gguf/gguf.h"
#include "ops/ops.h"

namespace e4j {

// A size that the file gives, 1 .. limit; fails with E4J_BAD_FORMAT otherwise.
int positive(const GgufFile& file, const std::string& key, int64_t limit);

// A GGUF file that is being taken apart. Dims are written as the shape of the array: {out_features, in_features}.
class WeightFile {
 public:
  explicit WeightFile(std::unique_ptr<GgufFile> file) : file_(std::move(file)) {}

  const GgufFile& gguf() const { return *file_; }
  // Everything is taken: checks that the file was whole all along, and gives it up.
  std::unique_ptr<GgufFile> finish();

  // Fails with E4J_BAD_FORMAT, naming the tensor with the shape found and the shape expected.
  const GgufTensor& matrix(const std::string& name, int rows, int cols);
  // A float32 vector.
  std::vector<float> vector(const std::string& name, int size);
  const GgufTensor& tensor(const std::string& name, const std::vector<uint64_t>& shape);
  bool contains(const std::string& name) const { return file_->find_tensor(name) != nullptr; }
  // Taken on purpose without being used.
  void ignore(const std::string& name) { taken_.insert(name); }

 private:
  std::unique_ptr<GgufFile> file_;
  std::unordered_set<std::string> taken_;
};

// The linear layer `name` (name.weight, name.bias) of a file, its adapters and the backend that holds it.
class LinearLoader {
 public:
  LinearLoader(Backend& backend, WeightFile& base) : backend_(backend), base_(base) {}

  // lora_a and lora_b of adapter i are adapters[i]'s `<lora>.lora_a`, `<lora>.lora_b`.
  struct AdapterFile {
    WeightFile* file;
    float scale;
    std::string lora;
  };
  struct Layer {
    std::string name;
    int out_features, in_features;
    bool bias;
    std::vector<AdapterFile> adapters = {};
    bool may_round = false;  // LinearSource
  };
  std::unique_ptr<Linear> load(const Layer& layer);
  // Layers with the same input.
  std::vector<std::unique_ptr<Linear>> load(std::span<const Layer> layers);

 private:
  LinearSource source(const Layer& layer, std::vector<float>& bias);

  Backend& backend_;
  WeightFile& base_;
};

// Attention is no more exact than the projections around it: float32 beside float32 or float16 weights, else bf16.
inline bool bf16_attention(const Linear& q) noexcept { return q.type != DType::F32 && q.type != DType::F16; }

}  // namespace e4j
