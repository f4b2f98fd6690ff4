// The Qwen2.5 decoder as an encoder of token sequences: hidden states out, no language-model head.
// (Qwen2.5-VL technical report, arXiv 2502.13923; layer names as llama.cpp's qwen2vl architecture spells them.)
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "model/weights.h"
#include "ops/ops.h"

namespace e4j {

struct TextConfig {
  int hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim;
  int vocab_size, max_position_embeddings;
  float rms_norm_eps;
  double rope_theta;
  int mrope_section[3];  // rotary pairs that turn with the temporal, height and width position; sum head_dim / 2
};

// Reads and checks the qwen2vl keys. Fails naming the key with what was found and what is supported.
TextConfig read_text_config(const WeightFile& file);

class TextDecoder {
 public:
  // adapters[i]: the LoRA file of adapter i and its scale; `lora` is filled in per layer.
  TextDecoder(Backend& backend, WeightFile& file, const TextConfig& config, std::vector<LinearLoader::AdapterFile> adapters);

  // x [tokens][hidden_size]: embeddings in, hidden states after the final norm out. positions [3][tokens].
  // Returns false when *cancel became non-zero.
  bool forward(Workspace&, Rows x, std::span<const int32_t> positions, std::span<const int32_t> cu_seqlens,
               std::span<const AdapterSegment>, const int32_t* cancel) const;

  uint64_t weight_bytes() const;

 private:
  struct Layer {
    std::unique_ptr<Memory> attn_norm;  // [hidden_size]
    std::unique_ptr<Linear> q, k, v, output;
    std::unique_ptr<Memory> ffn_norm;   // [hidden_size]
    std::unique_ptr<Linear> gate, up, down;
  };

  Backend& backend_;
  TextConfig config_;
  std::vector<Layer> layers_;
  std::unique_ptr<Memory> output_norm_;  // [hidden_size]
  std::vector<int32_t> rotary_axis_;     // [head_dim / 2]: 0 temporal, 1 height, 2 width
  std::vector<float> inv_freq_;          // [head_dim / 2]
};

// True when the caller of a batch has asked to stop.
bool cancelled(const int32_t* cancel) noexcept;

}  // namespace e4j
