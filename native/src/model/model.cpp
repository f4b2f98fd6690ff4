#include "model/model.h"

#include "base/status.h"
#include "model/batch.h"

namespace e4j {
namespace {

float lora_scale(const GgufFile& file, double alpha, int64_t rank) {
  const double scale = alpha / static_cast<double>(rank);
  if (rank < 1 || !(scale > -1e6 && scale < 1e6))
    fail(E4J_BAD_FORMAT, "%s: LoRA alpha %g over rank %lld is no usable scale", file.path().c_str(), alpha, static_cast<long long>(rank));
  return static_cast<float>(scale);
}

// alpha / rank, the rank read off the file's first tensor as llama.cpp does.
float adapter_scale(const GgufFile& file) {
  const std::string type = file.string("general.type"), kind = file.string("adapter.type"), arch = file.string("general.architecture");
  if (type != "adapter" || kind != "lora" || arch != "qwen2vl")
    fail(E4J_UNSUPPORTED, "%s: general.type \"%s\", adapter.type \"%s\", general.architecture \"%s\"; expected adapter, lora, qwen2vl",
         file.path().c_str(), type.c_str(), kind.c_str(), arch.c_str());
  const GgufTensor* a = file.find_tensor("blk.0.attn_q.weight.lora_a");
  if (a == nullptr) fail(E4J_BAD_FORMAT, "%s: tensor blk.0.attn_q.weight.lora_a is missing", file.path().c_str());
  return lora_scale(file, file.number("adapter.lora.alpha"), static_cast<int64_t>(a->dims[1]));
}

// Everything of two dimensions or more but the embedding table and a language-model head, which is not kept.
void add_matrices(const WeightFile& file, uint64_t& values, uint64_t& stored_bytes, bool& packed) {
  for (const GgufTensor& t : file.gguf().tensors()) {
    if (t.num_dims < 2 || t.name == "output.weight" || t.name == "token_embd.weight") continue;
    values += t.dims[0] * t.dims[1] * t.dims[2] * t.dims[3];
    stored_bytes += t.data_bytes;
    packed |= t.packed;
  }
}

}  // namespace

Model::Model(const ModelPaths& paths, std::unique_ptr<Backend> backend, int num_threads)
    : backend_(std::move(backend)), num_threads_(num_threads), num_adapters_(static_cast<int>(paths.adapters.size())) {
  WeightFile text(GgufFile::open(paths.text));
  config_ = read_text_config(text);
  std::vector<Adapter> adapters;
  for (const std::string& path : paths.adapters) {
    WeightFile file(GgufFile::open(path));
    const GgufFile& gguf = file.gguf();
    const float scale = adapter_scale(gguf);
    const std::string task = gguf.find("embed4j.task") != nullptr ? gguf.string("embed4j.task") : "";
    adapters.push_back({std::move(file), task, scale});
  }
  std::optional<WeightFile> multivector, vision;
  if (!paths.multivector.empty()) multivector.emplace(GgufFile::open(paths.multivector));
  if (!paths.vision.empty()) vision.emplace(GgufFile::open(paths.vision));

  ModelSize size{};
  add_matrices(text, size.values, size.stored_bytes, size.packed);
  size.decoder_values = size.values;
  for (const auto* file : {&multivector, &vision})
    if (*file) add_matrices(**file, size.values, size.stored_bytes, size.packed);
  uint64_t ignored = 0;
  for (const Adapter& adapter : adapters) add_matrices(adapter.file, size.adapter_values, ignored, size.packed);
  size.table_values = static_cast<uint64_t>(config_.vocab_size) * static_cast<uint64_t>(config_.hidden_size);
  size.hidden_size = config_.hidden_size;
  size.intermediate_size = config_.intermediate_size;
  backend_->plan(size);

  // A language-model head does not take part in embedding.
  if (text.contains("output.weight")) text.matrix("output.weight", config_.vocab_size, config_.hidden_size);
  const GgufTensor& embedding = text.matrix("token_embd.weight", config_.vocab_size, config_.hidden_size);
  if (embedding.packed) fail(E4J_BAD_FORMAT, "%s: tensor token_embd.weight is packed, expected rows", text.gguf().path().c_str());
  token_embd_ = backend_->make_table(embedding, text.gguf().in_place());
  text.gguf().release(embedding);
  std::vector<LinearLoader::AdapterFile> loras;
  for (Adapter& adapter : adapters) loras.push_back({&adapter.file, adapter.scale, ""});
  decoder_ = std::make_unique<TextDecoder>(*backend_, text, config_, loras);
  if (multivector) load_multivector(*multivector, adapters);
  if (vision) load_vision(*vision);
  finish(text);
  for (Adapter& adapter : adapters) finish(adapter.file);
  if (multivector) finish(*multivector);
  if (vision) finish(*vision);
}

void Model::finish(WeightFile& file) {
  std::unique_ptr<GgufFile> gguf = file.finish();
  if (gguf->in_place()) in_place_.push_back(std::move(gguf));
}

void Model::load_multivector(WeightFile& file, std::span<const Adapter> adapters) {
  const GgufFile& gguf = file.gguf();
  const char* path = gguf.path().c_str();
  if (const std::string a = gguf.string("general.architecture"); a != "embed4j-multivector")
    fail(E4J_UNSUPPORTED, "%s: general.architecture is \"%s\", expected \"embed4j-multivector\"", path, a.c_str());
  const int64_t dim = gguf.integer("embed4j.multivector_dim");
  if (dim < 1 || dim > 65536) fail(E4J_BAD_FORMAT, "%s: embed4j.multivector_dim is %lld", path, static_cast<long long>(dim));
  std::vector<LinearLoader::AdapterFile> loras;
  for (const Adapter& adapter : adapters) {
    if (adapter.task.empty())
      fail(E4J_BAD_FORMAT, "%s: key embed4j.task is missing; the multi-vector head needs it to find the adapter's part",
           adapter.file.gguf().path().c_str());
    loras.push_back({&file, lora_scale(gguf, gguf.number("embed4j.lora.alpha"), gguf.integer("embed4j.lora.rank")),
                     "multivector." + adapter.task});
  }
  multivector_ = LinearLoader(*backend_, file).load({"multivector", static_cast<int>(dim), config_.hidden_size, true, loras});
}

void Model::load_vision(WeightFile& file) {
  const VisionConfig config = read_vision_config(file);
  if (config.out_hidden_size != config_.hidden_size)
    fail(E4J_BAD_FORMAT, "%s: clip.vision.projection_dim is %d, expected %d, the text model's hidden size",
         file.gguf().path().c_str(), config.out_hidden_size, config_.hidden_size);
  vision_ = std::make_unique<VisionEncoder>(*backend_, file, config);
}

e4j_model_info Model::info() const {
  e4j_model_info i{};
  i.struct_size = sizeof i;
  i.num_threads = num_threads_;
  i.hidden_size = config_.hidden_size;
  i.intermediate_size = config_.intermediate_size;
  i.num_hidden_layers = config_.num_hidden_layers;
  i.num_attention_heads = config_.num_attention_heads;
  i.num_key_value_heads = config_.num_key_value_heads;
  i.head_dim = config_.head_dim;
  i.vocab_size = config_.vocab_size;
  i.max_position_embeddings = config_.max_position_embeddings;
  i.multi_vector_dim = multivector_ ? multivector_->out_features : 0;
  i.num_adapters = num_adapters_;
  i.vision_patch_values = vision_ ? vision_->config().patch_values() : 0;
  i.vision_merge_size = vision_ ? vision_->config().spatial_merge_size : 0;
  i.weight_bytes = decoder_->weight_bytes() + token_embd_->bytes + (multivector_ ? multivector_->bytes : 0) +
                   (vision_ ? vision_->weight_bytes() : 0);
  return i;
}

Session::Session(Model& model)
    : model_(model),
      workspace_(model.backend_->make_workspace()),
      vision_state_(*model.backend_),
      x_(*model.backend_),
      pooled_(*model.backend_),
      multi_vectors_(*model.backend_) {}

void Session::embed(const e4j_batch& batch, const e4j_result& result) {
  const e4j_model_info info = model_.info();
  check_batch(batch, result,
              {info.vocab_size, info.hidden_size, info.num_adapters, info.max_position_embeddings, info.multi_vector_dim,
               info.vision_patch_values, info.vision_merge_size});
  const std::vector<AdapterSegment> segments = adapter_segments(batch);
  const size_t tokens = static_cast<size_t>(batch.num_tokens);

  Backend& backend = *model_.backend_;
  const auto pass = backend.begin(*workspace_, {batch.cancel, batch.background != 0});
  const Rows x = x_.rows(batch.num_tokens, info.hidden_size);
  backend.embed(*workspace_, *model_.token_embd_, {batch.token_ids, tokens}, x);
  if (batch.num_images > 0 && !see(batch, x)) fail(E4J_CANCELLED, "cancelled by the caller");
  if (!model_.decoder_->forward(*workspace_, x, {batch.position_ids, 3 * tokens},
                                {batch.cu_seqlens, static_cast<size_t>(batch.num_sequences) + 1}, segments, batch.cancel))
    fail(E4J_CANCELLED, "cancelled by the caller");
  if (batch.num_pooled > 0) {
    const Rows pooled = pooled_.rows(batch.num_pooled, info.hidden_size);
    backend.mean_rows(*workspace_, x, {batch.pooled_ranges, 2 * static_cast<size_t>(batch.num_pooled)}, pooled);
    backend.to_caller(*workspace_, pooled, result.pooled);
  }
  if (batch.num_multi_vector > 0) multi_vectors(batch, x, segments, result.multi_vectors);
  for (const auto& file : model_.in_place_) file->check_whole();
}

// The merged patches of the batch's images take the places of their tokens' embeddings.
bool Session::see(const e4j_batch& batch, Rows x) {
  const VisionConfig& c = model_.vision_->config();
  const size_t patches = static_cast<size_t>(batch.num_patches);
  return model_.vision_->forward(*workspace_, vision_state_, {batch.patches, patches * static_cast<size_t>(c.patch_values())},
                                 {batch.grid_thw, 3 * static_cast<size_t>(batch.num_images)},
                                 {batch.image_rows, patches / static_cast<size_t>(c.merge_unit())}, x, batch.cancel);
}

void Session::multi_vectors(const e4j_batch& batch, Rows hidden, std::span<const AdapterSegment> segments, float* out) {
  const Linear& head = *model_.multivector_;
  for (int i = 0; i < batch.num_multi_vector;) {
    // Ranges that touch are one product.
    const int begin = batch.multi_vector_ranges[2 * i];
    int end = batch.multi_vector_ranges[2 * i + 1];
    for (++i; i < batch.num_multi_vector && batch.multi_vector_ranges[2 * i] == end; ++i) end = batch.multi_vector_ranges[2 * i + 1];
    std::vector<AdapterSegment> local;
    for (const AdapterSegment& s : segments) local.push_back({s.begin - begin, s.end - begin, s.adapter});
    const Rows rows = multi_vectors_.rows(end - begin, head.out_features);
    model_.backend_->linear(*workspace_, hidden.slice(begin, end - begin), head, rows, local);
    model_.backend_->l2_normalize(*workspace_, rows);
    model_.backend_->to_caller(*workspace_, rows, out);
    out += static_cast<size_t>(end - begin) * static_cast<size_t>(head.out_features);
  }
}

}  // namespace e4j
