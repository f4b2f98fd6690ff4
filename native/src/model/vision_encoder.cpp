#include "model/vision_encoder.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "model/text_decoder.h"
#include "tensor/quantize.h"

namespace e4j {
namespace {

// Place of patch p of an image of `width` patches per row: units of merge x merge patches, row by row.
struct Place {
  int row, col;
};
Place patch_place(int p, int width, int merge) {
  const int unit = p / (merge * merge), inner = p % (merge * merge), units_per_row = width / merge;
  return {unit / units_per_row * merge + inner / merge, unit % units_per_row * merge + inner % merge};
}

}  // namespace

VisionConfig read_vision_config(const WeightFile& weights) {
  const GgufFile& file = weights.gguf();
  const char* path = file.path().c_str();
  const std::string architecture = file.string("general.architecture"), projector = file.string("clip.projector_type");
  if (architecture != "clip" || projector != "qwen2.5vl_merger")
    fail(E4J_UNSUPPORTED, "%s: general.architecture \"%s\" with clip.projector_type \"%s\", expected \"clip\" with \"qwen2.5vl_merger\"",
         path, architecture.c_str(), projector.c_str());
  if (!file.boolean("clip.use_silu")) fail(E4J_UNSUPPORTED, "%s: clip.use_silu is false, supported: true", path);
  VisionConfig c{};
  c.hidden_size = positive(file, "clip.vision.embedding_length", 1 << 16);
  c.intermediate_size = positive(file, "clip.vision.feed_forward_length", 1 << 20);
  c.depth = positive(file, "clip.vision.block_count", 1024);
  c.num_heads = positive(file, "clip.vision.attention.head_count", 1024);
  c.out_hidden_size = positive(file, "clip.vision.projection_dim", 1 << 16);
  c.patch_size = positive(file, "clip.vision.patch_size", 256);
  c.rms_norm_eps = static_cast<float>(file.number("clip.vision.attention.layer_norm_epsilon"));
  // What llama.cpp takes as given for this projector; a file that says otherwise is not run.
  c.temporal_patch_size = 2;
  c.in_channels = 3;
  c.spatial_merge_size = file.find("clip.vision.spatial_merge_size") != nullptr ? positive(file, "clip.vision.spatial_merge_size", 16) : 2;
  c.window_size = file.find("clip.vision.window_size") != nullptr ? positive(file, "clip.vision.window_size", 1 << 16) : 112;
  if (c.hidden_size % c.num_heads != 0) fail(E4J_BAD_FORMAT, "%s: %d heads do not divide hidden size %d", path, c.num_heads, c.hidden_size);
  c.head_dim = c.hidden_size / c.num_heads;
  if (c.head_dim % 16 != 0 || c.head_dim > 128)
    fail(E4J_UNSUPPORTED, "%s: vision head size %d, supported: multiples of 16 up to 128", path, c.head_dim);
  if (!(c.rms_norm_eps > 0 && c.rms_norm_eps < 1)) fail(E4J_BAD_FORMAT, "%s: clip.vision.attention.layer_norm_epsilon is %g", path, c.rms_norm_eps);
  if (c.window_size % (c.patch_size * c.spatial_merge_size) != 0)
    fail(E4J_BAD_FORMAT, "%s: window size %d is no multiple of %d merged patches of %d pixels", path, c.window_size, c.spatial_merge_size, c.patch_size);
  // Which layers attend over the whole image: listed, or every n-th.
  c.full_attention.assign(static_cast<size_t>(c.depth), false);
  if (file.find("clip.vision.wa_layer_indexes") != nullptr) {
    for (const int64_t i : file.integers("clip.vision.wa_layer_indexes")) {
      if (i < 0 || i >= c.depth)
        fail(E4J_BAD_FORMAT, "%s: clip.vision.wa_layer_indexes holds %lld, expected layers 0 to %d", path, static_cast<long long>(i), c.depth - 1);
      c.full_attention[static_cast<size_t>(i)] = true;
    }
  } else {
    const int pattern = positive(file, "clip.vision.n_wa_pattern", 1024);
    for (int i = pattern - 1; i < c.depth; i += pattern) c.full_attention[static_cast<size_t>(i)] = true;
  }
  return c;
}

WindowOrder window_order(std::span<const int32_t> grid_thw, int merge, int window) {
  WindowOrder order;
  order.cu_windows.push_back(0);
  order.cu_images.push_back(0);
  const int unit_patches = merge * merge;
  int first = 0;  // unit of the image
  for (size_t i = 0; i + 2 < grid_thw.size(); i += 3) {
    const int height = grid_thw[i + 1] / merge, width = grid_thw[i + 2] / merge;
    for (int top = 0; top < height; top += window)
      for (int left = 0; left < width; left += window) {
        for (int r = top; r < std::min(height, top + window); ++r)
          for (int c = left; c < std::min(width, left + window); ++c) order.units.push_back(first + r * width + c);
        order.cu_windows.push_back(static_cast<int32_t>(order.units.size()) * unit_patches);
      }
    first += height * width;
    order.cu_images.push_back(first * unit_patches);
  }
  for (const int32_t unit : order.units)
    for (int j = 0; j < unit_patches; ++j) order.patches.push_back(unit * unit_patches + j);
  return order;
}

VisionEncoder::VisionEncoder(Backend& backend, WeightFile& file, const VisionConfig& config) : backend_(backend), config_(config) {
  const int hidden = config.hidden_size, ffn = config.intermediate_size, merged = hidden * config.merge_unit();
  LinearLoader loader(backend, file);
  patch_embed_ = load_patch_embed(file);
  for (int i = 0; i < config.depth; ++i) {
    const std::string p = "v.blk." + std::to_string(i) + ".";
    Layer layer;
    layer.norm1 = backend.make_vector(file.vector(p + "ln1.weight", hidden));
    const LinearLoader::Layer qkv[] = {{p + "attn_q", hidden, hidden, true}, {p + "attn_k", hidden, hidden, true},
                                       {p + "attn_v", hidden, hidden, true}};
    auto made = loader.load(qkv);
    layer.q = std::move(made[0]), layer.k = std::move(made[1]), layer.v = std::move(made[2]);
    layer.proj = loader.load({p + "attn_out", hidden, hidden, true});
    layer.norm2 = backend.make_vector(file.vector(p + "ln2.weight", hidden));
    const LinearLoader::Layer gate_up[] = {{p + "ffn_gate", ffn, hidden, true}, {p + "ffn_up", ffn, hidden, true}};
    made = loader.load(gate_up);
    layer.gate = std::move(made[0]), layer.up = std::move(made[1]);
    layer.down = loader.load({p + "ffn_down", hidden, ffn, true});
    layers_.push_back(std::move(layer));
  }
  merger_norm_ = backend.make_vector(file.vector("v.post_ln.weight", hidden));
  merger_in_ = loader.load({"mm.0", merged, merged, true});
  merger_out_ = loader.load({"mm.2", config.out_hidden_size, merged, true});
  // The first half of the rotary pairs turns with the patch's row, the second with its column (base 10000 over head_dim / 2).
  const int half = config.head_dim / 2, quarter = half / 2;
  for (int j = 0; j < half; ++j) {
    const float exponent = static_cast<float>(2 * (j % quarter)) / static_cast<float>(half);
    rotary_axis_.push_back(j < quarter ? 0 : 1);
    inv_freq_.push_back(1.0f / static_cast<float>(std::pow(10000.0, static_cast<double>(exponent))));
  }
}

// The file holds one convolution kernel per frame of the temporal pair, [hidden][channels][patch][patch] each; a patch is
// [channels][2][patch][patch], so their rows interleave.
std::unique_ptr<Linear> VisionEncoder::load_patch_embed(WeightFile& file) const {
  const uint64_t side = static_cast<uint64_t>(config_.patch_size), channels = static_cast<uint64_t>(config_.in_channels);
  const size_t hidden = static_cast<size_t>(config_.hidden_size), area = side * side, row = channels * area;
  std::vector<float> weight(hidden * row * 2), frame(hidden * row);
  for (size_t t = 0; t < 2; ++t) {
    const GgufTensor& w = file.tensor(t == 0 ? "v.patch_embd.weight" : "v.patch_embd.weight.1", {hidden, channels, side, side});
    if (w.type != DType::F32 && w.type != DType::F16 && w.type != DType::BF16)
      fail(E4J_UNSUPPORTED, "%s: tensor %s has type %s, expected f32, f16 or bf16", file.gguf().path().c_str(),
           std::string(w.name).c_str(), dtype_name(w.type));
    dequantize_rows(w.type, w.data, static_cast<int64_t>(hidden), static_cast<int64_t>(row), frame.data());
    for (size_t h = 0; h < hidden; ++h)
      for (size_t c = 0; c < channels; ++c)
        std::copy_n(&frame[h * row + c * area], area, &weight[h * row * 2 + (c * 2 + t) * area]);
  }
  return backend_.make_linear({"v.patch_embd", DType::F32, config_.hidden_size, config_.patch_values(),
                               reinterpret_cast<const std::byte*>(weight.data()), nullptr, {}});
}

RotaryTable VisionEncoder::rotary_table(Workspace& ws, std::span<const int32_t> grid_thw, const WindowOrder& order) const {
  std::vector<Place> places;
  for (size_t i = 0; i + 2 < grid_thw.size(); i += 3)
    for (int p = 0; p < grid_thw[i + 1] * grid_thw[i + 2]; ++p)
      places.push_back(patch_place(p, grid_thw[i + 2], config_.spatial_merge_size));
  const size_t patches = order.patches.size();
  std::vector<int32_t> positions(2 * patches);
  for (size_t r = 0; r < patches; ++r) {
    const Place place = places[static_cast<size_t>(order.patches[r])];
    positions[r] = place.row;
    positions[patches + r] = place.col;
  }
  return backend_.rotary_table(ws, {static_cast<int>(patches), positions, rotary_axis_, inv_freq_});
}

bool VisionEncoder::forward(Workspace& ws, State& state, std::span<const float> patch_values, std::span<const int32_t> grid_thw,
                            std::span<const int32_t> rows, Rows out, const int32_t* cancel) const {
  const VisionConfig& c = config_;
  const int n = static_cast<int>(patch_values.size()) / c.patch_values(), units = n / c.merge_unit();
  const WindowOrder order = window_order(grid_thw, c.spatial_merge_size, c.window_size / c.patch_size / c.spatial_merge_size);
  const AttentionShape shape{c.num_heads, c.num_heads, c.head_dim, false, bf16_attention(*layers_[0].q), 1.0f / std::sqrt(static_cast<float>(c.head_dim))};
  const RotaryTable rotary = rotary_table(ws, grid_thw, order);
  const auto images = backend_.sequences(ws, order.cu_images, shape), windows = backend_.sequences(ws, order.cu_windows, shape);

  const Rows patches = backend_.from_caller(ws, patch_values.data(), n, c.patch_values(), state.patches);
  const Rows embedded = state.embedded.rows(n, c.hidden_size), x = state.x.rows(n, c.hidden_size);
  backend_.linear(ws, patches, *patch_embed_, embedded, {});
  backend_.gather_rows(ws, embedded, order.patches, x);

  for (size_t i = 0; i < layers_.size(); ++i) {
    if (cancelled(cancel)) return false;
    const Layer& l = layers_[i];
    backend_.attention_layer(ws, x, {l.norm1->floats(), c.rms_norm_eps, l.q.get(), l.k.get(), l.v.get(), l.proj.get(), shape}, rotary,
                             c.full_attention[i] ? *images : *windows, {});
    backend_.gated_mlp(ws, x, {l.norm2->floats(), c.rms_norm_eps, l.gate.get(), l.up.get(), l.down.get()}, {});
  }

  // Patch merger: the four rows of a unit side by side, through a two-layer perceptron.
  backend_.rms_norm(ws, x, merger_norm_->floats(), c.rms_norm_eps, x);
  const int merged = c.hidden_size * c.merge_unit();
  const Rows side_by_side{x.data, units, merged, static_cast<size_t>(merged)};
  const Rows hidden = state.embedded.rows(units, merged), projected = state.merged.rows(units, c.out_hidden_size);
  backend_.linear(ws, side_by_side, *merger_in_, hidden, {});
  backend_.gelu(ws, hidden);
  backend_.linear(ws, hidden, *merger_out_, projected, {});

  std::vector<int32_t> to;
  for (const int32_t unit : order.units) to.push_back(rows[static_cast<size_t>(unit)]);
  backend_.scatter_rows(ws, projected, to, out);
  return true;
}

uint64_t VisionEncoder::weight_bytes() const {
  uint64_t bytes = patch_embed_->bytes + merger_in_->bytes + merger_out_->bytes;
  for (const Layer& l : layers_)
    for (const auto* linear : {&l.q, &l.k, &l.v, &l.proj, &l.gate, &l.up, &l.down}) bytes += (*linear)->bytes;
  return bytes;
}

}  // namespace e4j
