#include "api/guard.h"

#include "test.h"

using namespace e4j;

TEST(exceptions_become_status_and_text) {
  e4j_error error{sizeof(e4j_error), 0, {}};
  CHECK_EQ(guarded(&error, [] { fail(E4J_BAD_FORMAT, "found %d", 7); }), E4J_BAD_FORMAT);
  CHECK(std::string(error.message) == "found 7" && error.status == E4J_BAD_FORMAT);
  CHECK_EQ(guarded(&error, [] { throw std::bad_alloc(); }), E4J_OUT_OF_MEMORY);
  CHECK_EQ(guarded(nullptr, [] { throw 1; }), E4J_INTERNAL);
}

TEST(a_long_text_is_cut_between_characters) {
  e4j_error error{sizeof(e4j_error), 0, {}};
  std::string text = "x";
  while (text.size() < 2000) text += "é";
  report(&error, E4J_INTERNAL, text.c_str());
  const std::string cut = error.message;
  CHECK_EQ(cut.size(), sizeof error.message - 1);
  CHECK_EQ(cut.size() % 2, 1u);
}

TEST(a_struct_of_another_size_is_refused) {
  e4j_gguf_info info{};
  info.struct_size = sizeof info;
  check_struct(&info, "e4j_gguf_info");
  for (const uint32_t size : {uint32_t{0}, uint32_t{sizeof info} - 8, uint32_t{sizeof info} + 8, UINT32_MAX}) {
    info.struct_size = size;
    CHECK_THROWS(check_struct(&info, "e4j_gguf_info"), E4J_INVALID_ARGUMENT,
                 ("e4j_gguf_info.struct_size is " + std::to_string(size) + ", expected " + std::to_string(sizeof info)).c_str());
  }
  CHECK_THROWS(check_struct(static_cast<e4j_gguf_info*>(nullptr), "out"), E4J_INVALID_ARGUMENT, "out is NULL");
  CHECK_THROWS(check_handle(nullptr, "gguf"), E4J_INVALID_ARGUMENT, "gguf is NULL");
}

TEST(an_error_struct_of_another_size_is_left_alone) {
  e4j_error error{sizeof(e4j_error) - 4, 77, "before"};
  CHECK_EQ(report(&error, E4J_INTERNAL, "after"), E4J_INTERNAL);
  CHECK(error.status == 77 && std::string(error.message) == "before");
}
