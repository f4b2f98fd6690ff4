// A small model through the C functions: what loads, what is refused, what a batch may hold.
#include <atomic>
#include <thread>

#include "small_model.h"
#include "test.h"

using namespace e4j;
using namespace e4j::test;

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

TEST(packed_files_are_used_in_place) {
  Files files;
  write_all(files);
  Batch expected;
  {
    Model m(files);
    expected.run(m);
  }
  write_all(files, true);
  Model m(files);
  Batch b;
  b.run(m);
  CHECK(b.pooled_out == expected.pooled_out && b.multi_out == expected.multi_out);
  // Another file under the same name is another file; the same one cut short is an error of every call from then on.
  std::filesystem::rename(files.text, files.dir / "moved");
  Files::write(files.text, text_file());
  b.run(m);
  CHECK(b.pooled_out == expected.pooled_out);
  std::filesystem::resize_file(files.dir / "moved", 4096);
  for (int i = 0; i < 2; ++i) CHECK_THROWS(b.run(m), E4J_IO_ERROR, "text.gguf: the file was cut short");
}

TEST(the_table_of_a_packed_file_is_rows) {
  Files files;
  write_all(files, true);
  GgufBytes text = text_file([](const std::string& n, uint64_t&, uint64_t&) { return n == "token_embd.weight" ? "" : n; }, "qwen2vl", 2, true);
  text.packed("token_embd.weight", kHidden, kVocab, std::vector<float>(kHidden * kVocab));
  Files::write(files.text, text);
  CHECK_THROWS(Model(files), E4J_BAD_FORMAT, "tensor token_embd.weight is packed, expected rows");
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
    threads.emplace_back([&, t] {
      e4j_session* session = nullptr;
      if (e4j_session_open(m.model, &session, nullptr) != E4J_OK) ++wrong;
      for (int i = 0; i < 20; ++i) {
        Batch b;
        b.batch.background = t % 2;
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
