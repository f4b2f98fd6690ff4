// A model small enough to write here, opened and run through the C functions.
#pragma once
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>

#include "embed4j.h"
#include "gguf/gguf_bytes.h"
#include "random.h"
#include "base/status.h"

namespace e4j::test {

inline constexpr int kHidden = 256, kFfn = 96, kKv = 128, kVocab = 40, kRank = 4, kDim = 24;

struct Files {
  std::filesystem::path dir = std::filesystem::temp_directory_path() / ("e4j_model_test_" + std::to_string(::getpid()));
  std::string text = dir / "text.gguf", adapter = dir / "adapter.gguf", multivector = dir / "multivector.gguf";
  Files() { std::filesystem::create_directories(dir); }
  ~Files() { std::filesystem::remove_all(dir); }
  static void write(const std::string& path, const GgufBytes& file) {
    const auto bytes = file.bytes();
    std::FILE* f = std::fopen(path.c_str(), "wb");
    std::fwrite(bytes.data(), 1, bytes.size(), f);
    std::fclose(f);
  }
};

// Every tensor's dims may be changed on the way, or the tensor left out (an empty answer).
using Edit = std::function<std::string(const std::string& name, uint64_t& d0, uint64_t& d1)>;
inline std::string keep(const std::string& name, uint64_t&, uint64_t&) { return name; }

struct Writer {
  GgufBytes file;
  Random random{11};
  Edit edit = keep;
  bool packed = false;  // the matrices that products read
  explicit Writer(bool pack = false) : packed(pack) {
    if (!packed) return;
    file.alignment = kPackedAlignment;
    file.scalar("general.alignment", GgufType::U32, uint32_t{kPackedAlignment});
  }
  void tensor(const std::string& name, uint64_t d0, uint64_t d1, float scale, float mean = 0) {
    const std::string as = edit(name, d0, d1);
    if (as.empty()) return;
    std::vector<float> values = random.normals(static_cast<size_t>(d0 * std::max<uint64_t>(d1, 1)), scale);
    for (float& v : values) v += mean;
    if (d1 == 0) file.floats(as, {d0}, values);
    else if (packed && name != "token_embd.weight") file.packed(as, d0, d1, values);
    else file.floats(as, {d0, d1}, values);
  }
};

inline constexpr struct {
  const char* name;
  int out, in;
} kLinears[] = {{"attn_q", kHidden, kHidden}, {"attn_k", kKv, kHidden},      {"attn_v", kKv, kHidden},      {"attn_output", kHidden, kHidden},
                {"ffn_gate", kFfn, kHidden},  {"ffn_up", kFfn, kHidden},     {"ffn_down", kHidden, kFfn}};

inline GgufBytes text_file(Edit edit = keep, const std::string& architecture = "qwen2vl", uint32_t heads = 2, bool packed = false) {
  Writer w(packed);
  w.edit = std::move(edit);
  const std::string p = "qwen2vl.";
  w.file.string("general.architecture", architecture)
      .scalar(p + "embedding_length", GgufType::U32, uint32_t{kHidden})
      .scalar(p + "feed_forward_length", GgufType::U32, uint32_t{kFfn})
      .scalar(p + "block_count", GgufType::U32, uint32_t{1})
      .scalar(p + "attention.head_count", GgufType::U32, heads)
      .scalar(p + "attention.head_count_kv", GgufType::U32, uint32_t{1})
      .scalar(p + "context_length", GgufType::U32, uint32_t{64})
      .scalar(p + "attention.layer_norm_rms_epsilon", GgufType::F32, 1e-6f)
      .scalar(p + "rope.freq_base", GgufType::F32, 1e6f)
      .array(p + "rope.dimension_sections", GgufType::I32, std::vector<int32_t>{16, 24, 24, 0});
  w.tensor("token_embd.weight", kHidden, kVocab, 1);
  w.tensor("output_norm.weight", kHidden, 0, 0.2f, 1);
  w.tensor("blk.0.attn_norm.weight", kHidden, 0, 0.2f, 1);
  w.tensor("blk.0.ffn_norm.weight", kHidden, 0, 0.2f, 1);
  for (const auto& l : kLinears) {
    w.tensor(std::string("blk.0.") + l.name + ".weight", static_cast<uint64_t>(l.in), static_cast<uint64_t>(l.out), 0.06f);
    if (l.out == kKv || std::strcmp(l.name, "attn_q") == 0) w.tensor(std::string("blk.0.") + l.name + ".bias", static_cast<uint64_t>(l.out), 0, 0.3f);
  }
  return std::move(w.file);
}

inline GgufBytes adapter_file(Edit edit = keep, bool packed = false) {
  Writer w(packed);
  w.edit = std::move(edit);
  w.file.string("general.architecture", "qwen2vl").string("general.type", "adapter").string("adapter.type", "lora")
      .scalar("adapter.lora.alpha", GgufType::F32, 8.0f).string("embed4j.task", "retrieval");
  for (const auto& l : kLinears) {
    w.tensor(std::string("blk.0.") + l.name + ".weight.lora_a", static_cast<uint64_t>(l.in), kRank, 0.06f);
    w.tensor(std::string("blk.0.") + l.name + ".weight.lora_b", kRank, static_cast<uint64_t>(l.out), 0.3f);
  }
  return std::move(w.file);
}

inline GgufBytes multivector_file(bool packed = false) {
  Writer w(packed);
  w.file.string("general.architecture", "embed4j-multivector").scalar("embed4j.multivector_dim", GgufType::U32, uint32_t{kDim})
      .scalar("embed4j.lora.alpha", GgufType::F32, 8.0f).scalar("embed4j.lora.rank", GgufType::U32, uint32_t{kRank});
  w.tensor("multivector.weight", kHidden, kDim, 0.06f);
  w.tensor("multivector.bias", kDim, 0, 0.1f);
  w.tensor("multivector.retrieval.lora_a", kHidden, kRank, 0.06f);
  w.tensor("multivector.retrieval.lora_b", kRank, kDim, 0.3f);
  return std::move(w.file);
}

// Raises what a C function reports, so that CHECK_THROWS reads both alike.
inline void check(e4j_status status, const e4j_error& error) {
  if (status != E4J_OK) throw Error(status, error.message);
}

struct Model {
  e4j_model* model = nullptr;
  e4j_session* session = nullptr;
  e4j_error error{sizeof(e4j_error), 0, {}};

  explicit Model(const Files& files, bool adapter = true, bool multivector = true, int threads = 2, const char* device = nullptr,
                 const char* precision = nullptr) {
    const char* adapters[] = {files.adapter.c_str()};
    e4j_model_params p{sizeof p, threads, files.text.c_str(), nullptr, multivector ? files.multivector.c_str() : nullptr, adapters,
                       adapter ? 1 : 0, 0, device, nullptr, nullptr, precision};
    check(e4j_model_open(&p, &model, &error), error);
    check(e4j_session_open(model, &session, &error), error);
  }
  ~Model() {
    e4j_session_close(session);
    e4j_model_close(model);
  }
};

// Two sequences of 5 and 3 tokens; pooled rows for both, multi-vectors for the second.
struct Batch {
  std::vector<int32_t> ids{1, 5, 9, 39, 0, 7, 7, 2}, positions, cu{0, 5, 8}, adapters{0, -1}, pooled{0, 5, 5, 8}, multi{5, 8};
  std::vector<float> pooled_out = std::vector<float>(2 * kHidden), multi_out = std::vector<float>(3 * kDim);
  int32_t cancel = 0;
  e4j_batch batch{};
  e4j_result result{};
  Batch() {
    for (int axis = 0; axis < 3; ++axis)
      for (int p : {0, 1, 2, 3, 4, 0, 1, 2}) positions.push_back(p);
    batch = {sizeof batch, 8, 2, 0, 0, 2, 1, 0, ids.data(), positions.data(), cu.data(), adapters.data(), nullptr, nullptr, nullptr,
             pooled.data(), multi.data(), &cancel};
    result = {sizeof result, 0, pooled_out.data(), multi_out.data(), pooled_out.size(), multi_out.size()};
  }
  void run(Model& m) { check(e4j_embed(m.session, &batch, &result, &m.error), m.error); }
};

inline void write_all(const Files& f, bool packed = false) {
  Files::write(f.text, text_file(keep, "qwen2vl", 2, packed));
  Files::write(f.adapter, adapter_file(keep, packed));
  Files::write(f.multivector, multivector_file(packed));
}

}  // namespace e4j::test
