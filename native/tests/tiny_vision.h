// The vision tower of the `tiny` synthetic checkpoint against transformers in float32. Its weights are a formula of tensor
// name and index (FNV-1a and splitmix64, rounded to bf16), so only pictures and expected rows are stored, in testdata:
// <name>.pixels.u8 [patches][3][14][14] and <name>.vision.f32 [patches / 4][256].
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "base/status.h"
#include "gguf/gguf_bytes.h"
#include "model/vision_encoder.h"
#include "tensor/convert.h"

namespace e4j::test::tiny_vision {

inline constexpr int kHidden = 160, kFfn = 428, kDepth = 4, kOut = 256, kPixels = 14 * 14;

inline std::vector<float> formula(const std::string& name, size_t count, double mean, double std) {
  uint64_t seed = 0xCBF29CE484222325u;
  for (const char c : name) seed = (seed ^ static_cast<uint8_t>(c)) * 0x100000001B3u;
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    const double u = static_cast<double>(z >> 40) / 16777216.0;
    values[i] = bf16_to_f32(f32_to_bf16(static_cast<float>(mean + (2 * u - 1) * std::sqrt(3.0) * std)));
  }
  return values;
}

struct Weights {
  GgufBytes file;
  void vector(const std::string& to, const std::string& from, int n, double mean, double std) {
    file.floats(to, {static_cast<uint64_t>(n)}, formula(from, static_cast<size_t>(n), mean, std));
  }
  // Rows [first, first + out) of the checkpoint's matrix; gain / sqrt(in) is its spread.
  void linear(const std::string& to, const std::string& from, int all, int first, int out, int in, double gain, double bias) {
    const auto rows = formula(from + ".weight", static_cast<size_t>(all) * static_cast<size_t>(in), 0, gain / std::sqrt(in));
    const auto biases = formula(from + ".bias", static_cast<size_t>(all), 0, bias);
    file.floats(to + ".weight", {static_cast<uint64_t>(in), static_cast<uint64_t>(out)},
                {rows.begin() + static_cast<ptrdiff_t>(first) * in, rows.begin() + static_cast<ptrdiff_t>(first + out) * in});
    file.floats(to + ".bias", {static_cast<uint64_t>(out)}, {biases.begin() + first, biases.begin() + first + out});
  }
};

inline GgufBytes file() {
  Weights w;
  const std::string v = "clip.vision.";
  w.file.string("general.architecture", "clip").string("clip.projector_type", "qwen2.5vl_merger")
      .scalar("clip.use_silu", GgufType::Bool, uint8_t{1})
      .scalar(v + "embedding_length", GgufType::U32, uint32_t{kHidden}).scalar(v + "feed_forward_length", GgufType::U32, uint32_t{kFfn})
      .scalar(v + "block_count", GgufType::U32, uint32_t{kDepth}).scalar(v + "attention.head_count", GgufType::U32, uint32_t{2})
      .scalar(v + "projection_dim", GgufType::U32, uint32_t{kOut}).scalar(v + "patch_size", GgufType::U32, uint32_t{14})
      .scalar(v + "spatial_merge_size", GgufType::U32, uint32_t{2}).scalar(v + "window_size", GgufType::U32, uint32_t{112})
      .scalar(v + "attention.layer_norm_epsilon", GgufType::F32, 1e-6f)
      .array(v + "wa_layer_indexes", GgufType::I32, std::vector<int32_t>{1, 3});
  const auto conv = formula("visual.patch_embed.proj.weight", kHidden * 3 * 2 * kPixels, 0, 1 / std::sqrt(1176.0));
  for (size_t t = 0; t < 2; ++t) {  // one kernel per frame
    std::vector<float> frame;
    for (size_t row = 0; row < kHidden * 3; ++row)
      frame.insert(frame.end(), conv.begin() + static_cast<ptrdiff_t>((row * 2 + t) * kPixels), conv.begin() + static_cast<ptrdiff_t>((row * 2 + t + 1) * kPixels));
    w.file.floats(t == 0 ? "v.patch_embd.weight" : "v.patch_embd.weight.1", {14, 14, 3, kHidden}, frame);
  }
  for (int i = 0; i < kDepth; ++i) {
    const std::string to = "v.blk." + std::to_string(i) + ".", from = "visual.blocks." + std::to_string(i) + ".";
    w.vector(to + "ln1.weight", from + "norm1.weight", kHidden, 1, 0.2);
    w.vector(to + "ln2.weight", from + "norm2.weight", kHidden, 1, 0.2);
    for (int j = 0; j < 3; ++j)
      w.linear(to + "attn_" + "qkv"[j], from + "attn.qkv", 3 * kHidden, j * kHidden, kHidden, kHidden, 1.3, 0.3);
    w.linear(to + "attn_out", from + "attn.proj", kHidden, 0, kHidden, kHidden, 1, 0.1);
    w.linear(to + "ffn_gate", from + "mlp.gate_proj", kFfn, 0, kFfn, kHidden, 1, 0.1);
    w.linear(to + "ffn_up", from + "mlp.up_proj", kFfn, 0, kFfn, kHidden, 1, 0.1);
    w.linear(to + "ffn_down", from + "mlp.down_proj", kHidden, 0, kHidden, kFfn, 1.5, 0.1);
  }
  w.vector("v.post_ln.weight", "visual.merger.ln_q.weight", kHidden, 1, 0.2);
  w.linear("mm.0", "visual.merger.mlp.0", 4 * kHidden, 0, 4 * kHidden, 4 * kHidden, 1, 0.1);
  w.linear("mm.2", "visual.merger.mlp.2", kOut, 0, kOut, 4 * kHidden, 1.7, 0.1);
  return std::move(w.file);
}

template <class T>
std::vector<T> read_all(const std::string& name) {
  const auto path = std::filesystem::path(__FILE__).parent_path() / "../src/model/testdata" / name;
  std::FILE* f = std::fopen(path.c_str(), "rb");
  if (f == nullptr) fail(E4J_IO_ERROR, "%s cannot be opened", path.c_str());
  std::vector<T> values(std::filesystem::file_size(path) / sizeof(T));
  const size_t n = std::fread(values.data(), sizeof(T), values.size(), f);
  std::fclose(f);
  E4J_CHECK(n == values.size());
  return values;
}

// Both frames of every patch, normalised as preprocessor_config.json says.
inline std::vector<float> patches(const std::vector<uint8_t>& pixels) {
  constexpr float kMean[] = {0.48145466f, 0.4578275f, 0.40821073f}, kStd[] = {0.26862954f, 0.26130258f, 0.27577711f};
  std::vector<float> values;
  for (size_t at = 0; at < pixels.size(); at += kPixels)
    for (int frame = 0; frame < 2; ++frame)
      for (size_t i = 0; i < kPixels; ++i) {
        const size_t channel = at / kPixels % 3;
        values.push_back((static_cast<float>(pixels[at + i]) / 255.0f - kMean[channel]) / kStd[channel]);
      }
  return values;
}

// The relative error of the worst picture's rows.
inline double worst_error(Backend& backend) {
  const auto bytes = file().bytes();
  WeightFile weights(GgufFile::parse(bytes.data(), bytes.size(), "tiny vision"));
  const VisionEncoder vision(backend, weights, read_vision_config(weights));
  weights.finish();
  const auto workspace = backend.make_workspace();
  VisionEncoder::State state(backend);
  RowMemory out_memory(backend);
  const struct {
    const char* name;
    int32_t grid[3];
  } all_pictures[] = {{"alpha", {1, 8, 6}}, {"banner", {1, 2, 100}}};
  double worst = 0;
  for (const auto& picture : all_pictures) {
    const std::vector<float> in = patches(read_all<uint8_t>(std::string(picture.name) + ".pixels.u8"));
    const std::vector<float> expected = read_all<float>(std::string(picture.name) + ".vision.f32");
    const int tokens = picture.grid[1] * picture.grid[2] / 4;
    std::vector<int32_t> rows;
    for (int i = 0; i < tokens; ++i) rows.push_back(i);
    const auto turn = backend.begin(*workspace);
    const Rows out = out_memory.rows(tokens, kOut);
    E4J_CHECK(vision.forward(*workspace, state, in, picture.grid, rows, out, nullptr));
    std::vector<float> got(expected.size());
    backend.to_caller(*workspace, out, got.data());
    double error = 0, size = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      error += std::pow(static_cast<double>(got[i]) - expected[i], 2);
      size += std::pow(static_cast<double>(expected[i]), 2);
    }
    worst = std::max(worst, std::isfinite(error) ? std::sqrt(error / size) : 1e30);
  }
  return worst;
}

}  // namespace e4j::test::tiny_vision
