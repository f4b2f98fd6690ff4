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
