// The least a native test needs, so that a user's machine needs no test library: TEST, CHECK, CHECK_THROWS, one main.
#pragma once
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "base/status.h"

namespace e4j::test {

struct Case {
  const char* name;
  void (*body)();
};
inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}
inline int& failures() {
  static int count = 0;
  return count;
}
struct Register {
  Register(const char* name, void (*body)()) { cases().push_back({name, body}); }
};
inline void failed(const char* file, int line, const std::string& what) {
  ++failures();
  std::printf("%s:%d: %s\n", file, line, what.c_str());
}

}  // namespace e4j::test

#define TEST(name)                                            \
  static void name();                                         \
  static ::e4j::test::Register register_##name(#name, &name); \
  static void name()

#define CHECK(condition) \
  ((condition) ? (void)0 : ::e4j::test::failed(__FILE__, __LINE__, "CHECK failed: " #condition))

#define CHECK_EQ(a, b)                                                                                       \
  do {                                                                                                       \
    const auto va_ = (a);                                                                                    \
    const auto vb_ = (b);                                                                                    \
    if (!(va_ == vb_))                                                                                       \
      ::e4j::test::failed(__FILE__, __LINE__, "CHECK_EQ failed: " #a " == " #b ": " + std::to_string(va_) + \
                                                  " against " + std::to_string(vb_));                        \
  } while (0)

// The expression must throw e4j::Error with this status, and its message must contain `part`.
#define CHECK_THROWS(expression, expected_status, part)                                                              \
  do {                                                                                                               \
    bool threw_ = false;                                                                                             \
    try {                                                                                                            \
      (void)(expression);                                                                                            \
    } catch (const ::e4j::Error& e) {                                                                                \
      threw_ = true;                                                                                                 \
      if (e.status() != (expected_status) || std::strstr(e.what(), part) == nullptr)                                 \
        ::e4j::test::failed(__FILE__, __LINE__,                                                                      \
                            std::string("status ") + std::to_string(e.status()) + ", message: " + e.what() +         \
                                "; expected status " + std::to_string(expected_status) + " and a message with: " + part); \
    }                                                                                                                \
    if (!threw_) ::e4j::test::failed(__FILE__, __LINE__, "no error from: " #expression);                             \
  } while (0)

int main(int argc, char** argv) {
  int run = 0;
  for (const auto& c : ::e4j::test::cases()) {
    if (argc > 1 && std::strstr(c.name, argv[1]) == nullptr) continue;
    const int before = ::e4j::test::failures();
    try {
      c.body();
    } catch (const std::exception& e) {
      ::e4j::test::failed(c.name, 0, std::string("exception: ") + e.what());
    }
    std::printf("%s %s\n", ::e4j::test::failures() == before ? "ok  " : "FAIL", c.name);
    ++run;
  }
  std::printf("%d tests, %d failures\n", run, ::e4j::test::failures());
  return run == 0 || ::e4j::test::failures() != 0;
}
