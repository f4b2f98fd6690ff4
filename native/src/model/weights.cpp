#include "model/weights.h"

#include "base/status.h"

namespace e4j {
namespace {

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::vector<uint64_t> shape_of(const GgufTensor& t) {
  std::vector<uint64_t> shape;
  for (uint32_t i = t.num_dims; i-- > 0;) shape.push_back(t.dims[i]);
  return shape;
}

}  // namespace

int positive(const GgufFile& file, const std::string& key, int64_t limit) {
  const int64_t v = file.integer(key);
  if (v < 1 || v > limit)
    fail(E4J_BAD_FORMAT, "%s: %s is %lld, expected 1 to %lld", file.path().c_str(), key.c_str(), static_cast<long long>(v),
         static_cast<long long>(limit));
  return static_cast<int>(v);
}

const GgufTensor& WeightFile::tensor(const std::string& name, const std::vector<uint64_t>& shape) {
  const GgufTensor* t = file_->find_tensor(name);
  if (t == nullptr)
    fail(E4J_BAD_FORMAT, "%s: tensor %s is missing (expected shape %s)", file_->path().c_str(), name.c_str(), shape_text(shape).c_str());
  if (shape_of(*t) != shape)
    fail(E4J_BAD_FORMAT, "%s: tensor %s has shape %s, expected %s", file_->path().c_str(), name.c_str(),
         shape_text(shape_of(*t)).c_str(), shape_text(shape).c_str());
  taken_.insert(name);
  return *t;
}

const GgufTensor& WeightFile::matrix(const std::string& name, int rows, int cols) {
  return tensor(name, {static_cast<uint64_t>(rows), static_cast<uint64_t>(cols)});
}

std::vector<float> WeightFile::vector(const std::string& name, int size) {
  const GgufTensor& t = tensor(name, {static_cast<uint64_t>(size)});
  if (t.type != DType::F32)
    fail(E4J_BAD_FORMAT, "%s: tensor %s has type %s, expected f32", file_->path().c_str(), name.c_str(), dtype_name(t.type));
  const float* values = reinterpret_cast<const float*>(t.data);
  return {values, values + size};
}

std::unique_ptr<GgufFile> WeightFile::finish() {
  for (const GgufTensor& t : file_->tensors())
    if (!taken_.contains(std::string(t.name)))
      fail(E4J_BAD_FORMAT, "%s: tensor %s (shape %s) belongs to nothing in this architecture", file_->path().c_str(),
           std::string(t.name).c_str(), shape_text(shape_of(t)).c_str());
  file_->check_whole();
  return std::move(file_);
}

LinearSource LinearLoader::source(const Layer& layer, std::vector<float>& bias) {
  const GgufTensor& weight = base_.matrix(layer.name + ".weight", layer.out_features, layer.in_features);
  if (layer.bias) bias = base_.vector(layer.name + ".bias", layer.out_features);
  LinearSource source{layer.name, weight.type, layer.out_features, layer.in_features, weight.data, layer.bias ? bias.data() : nullptr, {}, layer.may_round, weight.packed};
  for (const AdapterFile& adapter : layer.adapters) {
    const GgufFile& file = adapter.file->gguf();
    const GgufTensor* a = file.find_tensor(adapter.lora + ".lora_a");
    if (a == nullptr) fail(E4J_BAD_FORMAT, "%s: tensor %s.lora_a is missing", file.path().c_str(), adapter.lora.c_str());
    if (a->num_dims != 2 || a->dims[1] == 0 || a->dims[1] > 4096)
      fail(E4J_BAD_FORMAT, "%s: tensor %s.lora_a has shape %s, expected [rank, %d] with rank 1 to 4096", file.path().c_str(),
           adapter.lora.c_str(), shape_text(shape_of(*a)).c_str(), layer.in_features);
    const int rank = static_cast<int>(a->dims[1]);
    const GgufTensor& lora_a = adapter.file->matrix(adapter.lora + ".lora_a", rank, layer.in_features);
    const GgufTensor& lora_b = adapter.file->matrix(adapter.lora + ".lora_b", layer.out_features, rank);
    for (const GgufTensor* t : {&lora_a, &lora_b})
      if (t->type != DType::F32 && t->type != DType::F16 && t->type != DType::BF16)
        fail(E4J_UNSUPPORTED, "%s: tensor %s has type %s; adapters are read as f32, f16 or bf16", file.path().c_str(),
             std::string(t->name).c_str(), dtype_name(t->type));
    source.adapters.push_back({&lora_a, &lora_b, adapter.scale});
  }
  return source;
}

std::unique_ptr<Linear> LinearLoader::load(const Layer& layer) { return std::move(load(std::span(&layer, 1)).front()); }

std::vector<std::unique_ptr<Linear>> LinearLoader::load(std::span<const Layer> layers) {
  std::vector<std::vector<float>> biases(layers.size());
  std::vector<LinearSource> sources;
  for (size_t i = 0; i < layers.size(); ++i) sources.push_back(source(layers[i], biases[i]));
  auto linears = backend_.make_linears(sources);
  for (const Layer& layer : layers) base_.gguf().release(*base_.gguf().find_tensor(layer.name + ".weight"));
  return linears;
}

}  // namespace e4j
