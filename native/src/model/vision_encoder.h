// The Qwen2.5-VL vision tower: patches in, one row per 2 x 2 merged patch out, ready to stand in for image tokens.
// (Qwen2.5-VL technical report, arXiv 2502.13923, section 2.1; tensor names as llama.cpp's qwen2.5vl_merger projector.)
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "model/weights.h"
#include "ops/ops.h"

namespace e4j {

struct VisionConfig {
  int hidden_size, intermediate_size, depth, num_heads, head_dim, out_hidden_size;
  int patch_size, temporal_patch_size, in_channels, spatial_merge_size;
  int window_size;  // pixels
  float rms_norm_eps;
  std::vector<bool> full_attention;  // by layer; the others attend inside windows

  int patch_values() const { return in_channels * temporal_patch_size * patch_size * patch_size; }
  int merge_unit() const { return spatial_merge_size * spatial_merge_size; }
};

// Reads and checks the clip.* keys. Fails naming the key with what was found and what is supported.
VisionConfig read_vision_config(const WeightFile& file);

// How the patches of a batch of images are ordered inside the encoder: merge units (2 x 2 patches) window by window.
struct WindowOrder {
  std::vector<int32_t> units;       // [merge units]: place in the caller's order
  std::vector<int32_t> patches;     // [patches]: the same, spread over each unit's patches
  std::vector<int32_t> cu_windows;  // patches before each window, and the total
  std::vector<int32_t> cu_images;   // patches before each image, and the total
};

// grid_thw [images][3] in patches, t = 1; window in merge units per side (transformers: get_window_index).
WindowOrder window_order(std::span<const int32_t> grid_thw, int spatial_merge_size, int window);

class VisionEncoder {
 public:
  VisionEncoder(Backend& backend, WeightFile& file, const VisionConfig& config);

  const VisionConfig& config() const { return config_; }

  // Scratch of one session.
  struct State {
    explicit State(Backend& backend) : patches(backend), embedded(backend), x(backend), merged(backend) {}
    RowMemory patches, embedded, x, merged;
  };

  // patches [N][patch_values] of the caller, images one after another in merge order -> out[rows[i]] = merged patch i,
  // rows [N / 4]. Returns false when *cancel became non-zero.
  bool forward(Workspace&, State&, std::span<const float> patches, std::span<const int32_t> grid_thw,
               std::span<const int32_t> rows, Rows out, const int32_t* cancel) const;

  uint64_t weight_bytes() const;

 private:
  struct Layer {
    std::unique_ptr<Memory> norm1;  // [hidden_size]
    std::unique_ptr<Linear> q, k, v, proj;
    std::unique_ptr<Memory> norm2;  // [hidden_size]
    std::unique_ptr<Linear> gate, up, down;
  };

  std::unique_ptr<Linear> load_patch_embed(WeightFile& file) const;
  RotaryTable rotary_table(Workspace&, std::span<const int32_t> grid_thw, const WindowOrder&) const;

  Backend& backend_;
  VisionConfig config_;
  std::unique_ptr<Linear> patch_embed_;      // [hidden_size][patch_values]
  std::vector<Layer> layers_;
  std::unique_ptr<Memory> merger_norm_;      // [hidden_size]
  std::unique_ptr<Linear> merger_in_;        // [4 * hidden_size][4 * hidden_size]
  std::unique_ptr<Linear> merger_out_;       // [out_hidden_size][4 * hidden_size]
  std::vector<int32_t> rotary_axis_;         // [head_dim / 2]: 0 row, 1 column
  std::vector<float> inv_freq_;              // [head_dim / 2]
};

}  // namespace e4j
