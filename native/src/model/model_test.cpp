// A model small enough to write here, through the C functions: what loads, what is refused, what a batch may hold.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <thread>

#include "embed4j.h"
#include "gguf/gguf_bytes.h"
#include "random.h"
#include "test.h"

using namespace e4j;
using e4j::test::Random;

namespace {

constexpr int kHidden = 256, kFfn = 96, kKv = 128, kVocab = 40, kRank = 4, kDim = 24;

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
std::string keep(const std::string& name, uint64_t&, uint64_t&) { return name; }

struct Writer {
  GgufBytes file;
  Random random{11};
  Edit edit = keep;
  void tensor(const std::string& name, uint64_t d0, uint64_t d1, float scale, float mean = 0) {
    const std::string as = edit(name, d0, d1);
    if (as.empty()) return;
    std::vector<float> values = random.normals(static_cast<size_t>(d0 * std::max<uint64_t>(d1, 1)), scale);
    for (float& v : values) v += mean;
    d1 == 0 ? file.floats(as, {d0}, values) : file.floats(as, {d0, d1}, values);
  }
};

constexpr struct {
  const char* name;
  int out, in;
} kLinears[] = {{"attn_q", kHidden, kHidden}, {"attn_k", kKv, kHidden},      {"attn_v", kKv, kHidden},      {"attn_output", kHidden, kHidden},
                {"ffn_gate", kFfn, kHidden},  {"ffn_up", kFfn, kHidden},     {"ffn_down", kHidden, kFfn}};

GgufBytes text_file(Edit edit = keep, const std::string& architecture = "qwen2vl", uint32_t heads = 2) {
  Writer w;
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

GgufBytes adapter_file(Edit edit = keep) {
  Writer w;
  w.edit = std::move(edit);
  w.file.string("general.architecture", "qwen2vl").string("general.type", "adapter").string("adapter.type", "lora")
      .scalar("adapter.lora.alpha", GgufType::F32, 8.0f).string("embed4j.task", "retrieval");
  for (const auto& l : kLinears) {
    w.tensor(std::string("blk.0.") + l.name + ".weight.lora_a", static_cast<uint64_t>(l.in), kRank, 0.06f);
    w.tensor(std::string("blk.0.") + l.name + ".weight.lora_b", kRank, static_cast<uint64_t>(l.out), 0.3f);
  }
  return std::move(w.file);
}

GgufBytes multivector_file() {
  Writer w;
  w.file.string("general.architecture", "embed4j-multivector").scalar("embed4j.multivector_dim", GgufType::U32, uint32_t{kDim})
      .scalar("embed4j.lora.alpha", GgufType::F32, 8.0f).scalar("embed4j.lora.rank", GgufType::U32, uint32_t{kRank});
  w.tensor("multivector.weight", kHidden, kDim, 0.06f);
  w.tensor("multivector.bias", kDim, 0, 0.1f);
  w.tensor("multivector.retrieval.lora_a", kHidden, kRank, 0.06f);
  w.tensor("multivector.retrieval.lora_b", kRank, kDim, 0.3f);
  return std::move(w.file);
}

// Raises what a C function reports, so that CHECK_THROWS reads both alike.
void check(e4j_status status, const e4j_error& error) {
  if (status != E4J_OK) throw Error(status, error.message);
}

struct Model {
  e4j_model* model = nullptr;
  e4j_session* session = nullptr;
  e4j_error error{sizeof(e4j_error), 0, {}};

  explicit Model(const Files& files, bool adapter = true, bool multivector = true, int threads = 2) {
    const char* adapters[] = {files.adapter.c_str()};
    e4j_model_params p{sizeof p, threads, files.text.c_str(), nullptr, multivector ? files.multivector.c_str() : nullptr, adapters, adapter ? 1 : 0, 0};
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

void write_all(const Files& f) {
  Files::write(f.text, text_file());
  Files::write(f.adapter, adapter_file());
  Files::write(f.multivector, multivector_file());
}

}  // namespace

TEST(a_model_embeds_and_says_what_it_is) {
  Files files;
  write_all(files);
  Model m(files);
  e4j_model_info info{};
  info.struct_size = sizeof info;
  check(e4j_model_get_info(m.model, &info, &m.error), m.error);
  CHECK(info.hidden_size == kHidden && info.vocab_size == kVocab && info.num_adapters == 1 && info.multi_vector_dim == kDim);
  CHECK(info.num_threads == 2 && info.vision_patch_values == 0 && info.weight_bytes > 0);
  Batch b;
  b.run(m);
  double square = 0;
  for (int i = 0; i < kDim; ++i) square += static_cast<double>(b.multi_out[static_cast<size_t>(i)]) * b.multi_out[static_cast<size_t>(i)];
  CHECK(std::fabs(square - 1) < 1e-5);
  // The second sequence alone, and with the adapter, gives the same and another vector.
  Batch alone;
  alone.ids = {7, 7, 2};
  alone.positions = {0, 1, 2, 0, 1, 2, 0, 1, 2};
  alone.cu = {0, 3};
  alone.adapters = {-1};
  alone.pooled = {0, 3};
  alone.batch.num_tokens = 3;
  alone.batch.num_sequences = alone.batch.num_pooled = 1;
  alone.batch.num_multi_vector = 0;
  alone.result.pooled_floats = kHidden;
  alone.result.multi_vector_floats = 0;
  alone.batch.token_ids = alone.ids.data();
  alone.batch.position_ids = alone.positions.data();
  alone.run(m);
  CHECK(std::memcmp(alone.pooled_out.data(), b.pooled_out.data() + kHidden, kHidden * 4) == 0);
  alone.adapters[0] = 0;
  alone.run(m);
  CHECK(std::memcmp(alone.pooled_out.data(), b.pooled_out.data() + kHidden, kHidden * 4) != 0);
}

TEST(sessions_take_turns_and_agree) {
  Files files;
  write_all(files);
  Model m(files);
  Batch expected;
  expected.run(m);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      e4j_session* session = nullptr;
      if (e4j_session_open(m.model, &session, nullptr) != E4J_OK) ++wrong;
      for (int i = 0; i < 20; ++i) {
        Batch b;
        if (e4j_embed(session, &b.batch, &b.result, nullptr) != E4J_OK || b.pooled_out != expected.pooled_out || b.multi_out != expected.multi_out) ++wrong;
      }
      e4j_session_close(session);
    });
  for (auto& t : threads) t.join();
  CHECK_EQ(wrong.load(), 0);
}

TEST(a_cancelled_call_leaves_the_session_usable) {
  Files files;
  write_all(files);
  Model m(files);
  Batch b;
  b.cancel = 1;
  CHECK_THROWS(b.run(m), E4J_CANCELLED, "cancelled");
  b.cancel = 0;
  b.run(m);
}

TEST(files_that_do_not_fit_are_refused_by_name) {
  Files f;
  write_all(f);
  const auto text = [&](Edit edit) { Files::write(f.text, text_file(std::move(edit))); };
  text([](const std::string& n, uint64_t&, uint64_t&) { return n == "blk.0.ffn_up.weight" ? "" : n; });
  CHECK_THROWS(Model(f), E4J_BAD_FORMAT, "tensor blk.0.ffn_up.weight is missing (expected shape [96, 256])");
  text([](const std::string& n, uint64_t& d0, uint64_t&) { return d0 += n == "blk.0.attn_k.weight" ? 32 : 0, n; });
  CHECK_THROWS(Model(f), E4J_BAD_FORMAT, "tensor blk.0.attn_k.weight has shape [128, 288], expected [128, 256]");
  text([](const std::string& n, uint64_t& d0, uint64_t&) { return d0 -= n == "blk.0.attn_q.bias" ? 1 : 0, n; });
  CHECK_THROWS(Model(f), E4J_BAD_FORMAT, "blk.0.attn_q.bias has shape [255], expected [256]");
  GgufBytes more = text_file();
  more.floats("blk.1.attn_norm.weight", {kHidden}, std::vector<float>(kHidden));
  Files::write(f.text, more);
  CHECK_THROWS(Model(f), E4J_BAD_FORMAT, "tensor blk.1.attn_norm.weight (shape [256]) belongs to nothing");
  Files::write(f.text, text_file(keep, "llama"));
  CHECK_THROWS(Model(f), E4J_UNSUPPORTED, "general.architecture is \"llama\"");
  Files::write(f.text, text_file(keep, "qwen2vl", 4));
  CHECK_THROWS(Model(f), E4J_UNSUPPORTED, "head size 64");
  Files::write(f.text, text_file());
  Files::write(f.adapter, adapter_file([](const std::string& n, uint64_t&, uint64_t& d1) { return d1 += n == "blk.0.ffn_down.weight.lora_b" ? 1 : 0, n; }));
  CHECK_THROWS(Model(f), E4J_BAD_FORMAT, "blk.0.ffn_down.weight.lora_b has shape [257, 4], expected [256, 4]");
  Files::write(f.adapter, text_file());
  CHECK_THROWS(Model(f), E4J_BAD_FORMAT, "general.type");
  std::filesystem::remove(f.adapter);
  CHECK_THROWS(Model(f), E4J_IO_ERROR, "adapter.gguf");
  Model without(f, false, false);
}

TEST(batches_are_checked_field_by_field) {
  Files files;
  write_all(files);
  Model m(files);
  const auto refused = [&](const char* part, const std::function<void(Batch&)>& spoil, e4j_status status = E4J_INVALID_ARGUMENT) {
    Batch b;
    spoil(b);
    CHECK_THROWS(b.run(m), status, part);
  };
  refused("batch.token_ids[3] is 40", [](Batch& b) { b.ids[3] = kVocab; });
  refused("batch.token_ids[0] is -1", [](Batch& b) { b.ids[0] = -1; });
  refused("batch.position_ids[9] is 64", [](Batch& b) { b.positions[9] = 64; });
  refused("batch.cu_seqlens[1] is 0", [](Batch& b) { b.cu[1] = 0; });
  refused("batch.cu_seqlens[2] is 7", [](Batch& b) { b.cu[2] = 7; });
  refused("batch.adapters[0] is 1", [](Batch& b) { b.adapters[0] = 1; });
  refused("batch.pooled_ranges[1] is 6", [](Batch& b) { b.pooled[1] = 6; });
  refused("batch.pooled_ranges[3] is 5", [](Batch& b) { b.pooled[3] = 5; });
  refused("batch.multi_vector_ranges[0] is -5", [](Batch& b) { b.multi[0] = -5; });
  refused("batch.num_tokens is 0", [](Batch& b) { b.batch.num_tokens = 0; });
  refused("batch.num_sequences is 9", [](Batch& b) { b.batch.num_sequences = 9; });
  refused("batch.token_ids is NULL", [](Batch& b) { b.batch.token_ids = nullptr; });
  refused("result has room for 511", [](Batch& b) { b.result.pooled_floats = 511; });
  refused("result.pooled is NULL", [](Batch& b) { b.result.pooled = nullptr; });
  refused("struct_size", [](Batch& b) { b.batch.struct_size -= 8; });
  refused("batch.image_rows is NULL", [](Batch& b) {
    b.batch.num_images = 1;
    b.batch.grid_thw = b.ids.data();
    b.batch.patches = b.pooled_out.data();
  });
  Model no_head(files, true, false);
  Batch b;
  CHECK_THROWS(b.run(no_head), E4J_UNSUPPORTED, "without a multi-vector head");
  CHECK_EQ(e4j_embed(nullptr, &b.batch, &b.result, nullptr), E4J_INVALID_ARGUMENT);
  e4j_model_close(nullptr);
  e4j_session_close(nullptr);
}
