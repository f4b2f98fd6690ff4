#include "model/text_decoder.h"

#include <cmath>
#include <limits>

#include "base/status.h"

namespace e4j {
namespace {

constexpr char kArchitecture[] = "qwen2vl";

}  // namespace

bool cancelled(const int32_t* cancel) noexcept {
  return cancel != nullptr && __atomic_load_n(cancel, __ATOMIC_RELAXED) != 0;
}

TextConfig read_text_config(const WeightFile& weights) {
  const GgufFile& file = weights.gguf();
  const std::string architecture = file.string("general.architecture");
  if (architecture != kArchitecture)
    fail(E4J_UNSUPPORTED, "%s: general.architecture is \"%s\", expected \"%s\"", file.path().c_str(), architecture.c_str(), kArchitecture);
  const std::string p = std::string(kArchitecture) + ".";
  TextConfig c{};
  c.hidden_size = positive(file, p + "embedding_length", 1 << 16);
  c.intermediate_size = positive(file, p + "feed_forward_length", 1 << 20);
  c.num_hidden_layers = positive(file, p + "block_count", 1024);
  c.num_attention_heads = positive(file, p + "attention.head_count", 1024);
  c.num_key_value_heads = positive(file, p + "attention.head_count_kv", 1024);
  c.max_position_embeddings = positive(file, p + "context_length", 1 << 24);
  c.rms_norm_eps = static_cast<float>(file.number(p + "attention.layer_norm_rms_epsilon"));
  c.rope_theta = file.number(p + "rope.freq_base");
  const char* path = file.path().c_str();
  if (!(c.rms_norm_eps > 0 && c.rms_norm_eps < 1)) fail(E4J_BAD_FORMAT, "%s: %sattention.layer_norm_rms_epsilon is %g", path, p.c_str(), c.rms_norm_eps);
  if (!(c.rope_theta > 1 && c.rope_theta < 1e12)) fail(E4J_BAD_FORMAT, "%s: %srope.freq_base is %g", path, p.c_str(), c.rope_theta);
  if (c.hidden_size % c.num_attention_heads != 0 || c.num_attention_heads % c.num_key_value_heads != 0)
    fail(E4J_BAD_FORMAT, "%s: %d heads over hidden size %d with %d key/value heads do not divide", path, c.num_attention_heads,
         c.hidden_size, c.num_key_value_heads);
  c.head_dim = c.hidden_size / c.num_attention_heads;
  if (c.head_dim != 128) fail(E4J_UNSUPPORTED, "%s: head size %d, supported: 128", path, c.head_dim);
  if (c.num_attention_heads / c.num_key_value_heads > 64)
    fail(E4J_UNSUPPORTED, "%s: %d query heads per key/value head, supported: up to 64", path, c.num_attention_heads / c.num_key_value_heads);
  // [temporal, height, width, 0]
  const std::vector<int64_t> sections = file.integers(p + "rope.dimension_sections");
  int64_t sum = 0;
  for (size_t i = 0; i < sections.size(); ++i) {
    if (sections[i] < 0 || sections[i] > c.head_dim || (i >= 3 && sections[i] != 0) || sections.size() > 4)
      fail(E4J_UNSUPPORTED, "%s: %srope.dimension_sections entry %zu is %lld; supported: three sections", path, p.c_str(), i,
           static_cast<long long>(sections[i]));
    sum += sections[i];
  }
  if (sections.size() < 3 || sum != c.head_dim / 2)
    fail(E4J_BAD_FORMAT, "%s: %srope.dimension_sections sums to %lld over %zu entries, expected %d over 3", path, p.c_str(),
         static_cast<long long>(sum), sections.size(), c.head_dim / 2);
  for (size_t i = 0; i < 3; ++i) c.mrope_section[i] = static_cast<int>(sections[i]);
  if (const GgufValue* scaling = file.find(p + "rope.scaling.type"); scaling != nullptr && file.string(p + "rope.scaling.type") != "none")
    fail(E4J_UNSUPPORTED, "%s: %srope.scaling.type is \"%s\", supported: none", path, p.c_str(), file.string(p + "rope.scaling.type").c_str());
  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr || embedding->num_dims != 2 || embedding->dims[1] > std::numeric_limits<int>::max())
    fail(E4J_BAD_FORMAT, "%s: tensor token_embd.weight is missing or not a matrix", path);
  c.vocab_size = static_cast<int>(embedding->dims[1]);
  return c;
}

TextDecoder::TextDecoder(Backend& backend, WeightFile& file, const TextConfig& config, std::vector<LinearLoader::AdapterFile> adapters)
    : backend_(backend), config_(config) {
  const int hidden = config.hidden_size, kv = config.num_key_value_heads * config.head_dim, ffn = config.intermediate_size;
  LinearLoader loader(backend, file);
  const auto linear = [&](const std::string& name, int out_features, int in_features, bool bias) {
    for (auto& adapter : adapters) adapter.lora = name + ".weight";
    return LinearLoader::Layer{name, out_features, in_features, bias, adapters, true};
  };
  for (int i = 0; i < config.num_hidden_layers; ++i) {
    const std::string p = "blk." + std::to_string(i) + ".";
    Layer layer;
    layer.attn_norm = backend.make_vector(file.vector(p + "attn_norm.weight", hidden));
    const LinearLoader::Layer qkv[] = {linear(p + "attn_q", hidden, hidden, true), linear(p + "attn_k", kv, hidden, true),
                                       linear(p + "attn_v", kv, hidden, true)};
    auto made = loader.load(qkv);
    layer.q = std::move(made[0]), layer.k = std::move(made[1]), layer.v = std::move(made[2]);
    layer.output = loader.load(linear(p + "attn_output", hidden, hidden, false));
    layer.ffn_norm = backend.make_vector(file.vector(p + "ffn_norm.weight", hidden));
    const LinearLoader::Layer gate_up[] = {linear(p + "ffn_gate", ffn, hidden, false), linear(p + "ffn_up", ffn, hidden, false)};
    made = loader.load(gate_up);
    layer.gate = std::move(made[0]), layer.up = std::move(made[1]);
    layer.down = loader.load(linear(p + "ffn_down", hidden, ffn, false));
    layers_.push_back(std::move(layer));
  }
  output_norm_ = backend.make_vector(file.vector("output_norm.weight", hidden));
  // In float32, as the checkpoint's own code computes them.
  const int height_from = config.mrope_section[0], width_from = height_from + config.mrope_section[1];
  for (int j = 0; j < config.head_dim / 2; ++j) {
    rotary_axis_.push_back(j < height_from ? 0 : j < width_from ? 1 : 2);
    const float exponent = static_cast<float>(2 * j) / static_cast<float>(config.head_dim);
    inv_freq_.push_back(1.0f / static_cast<float>(std::pow(config.rope_theta, exponent)));
  }
}

bool TextDecoder::forward(Workspace& ws, Rows x, std::span<const int32_t> positions, std::span<const int32_t> cu_seqlens,
                          std::span<const AdapterSegment> segments, const int32_t* cancel) const {
  const TextConfig& c = config_;
  const AttentionShape shape{c.num_attention_heads, c.num_key_value_heads, c.head_dim, true, bf16_attention(*layers_[0].q),
                             1.0f / std::sqrt(static_cast<float>(c.head_dim))};
  const RotaryTable rotary = backend_.rotary_table(ws, {x.rows, positions, rotary_axis_, inv_freq_});
  const auto sequences = backend_.sequences(ws, cu_seqlens, shape);
  for (const Layer& l : layers_) {
    if (cancelled(cancel)) return false;
    backend_.attention_layer(ws, x, {l.attn_norm->floats(), c.rms_norm_eps, l.q.get(), l.k.get(), l.v.get(), l.output.get(), shape},
                             rotary, *sequences, segments);
    backend_.gated_mlp(ws, x, {l.ffn_norm->floats(), c.rms_norm_eps, l.gate.get(), l.up.get(), l.down.get()}, segments);
  }
  backend_.rms_norm(ws, x, output_norm_->floats(), c.rms_norm_eps, x);
  return true;
}

uint64_t TextDecoder::weight_bytes() const {
  uint64_t bytes = 0;
  for (const Layer& l : layers_)
    for (const auto* linear : {&l.q, &l.k, &l.v, &l.output, &l.gate, &l.up, &l.down}) bytes += (*linear)->bytes;
  return bytes;
}

}  // namespace e4j
