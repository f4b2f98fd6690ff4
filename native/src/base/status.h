// Errors inside the library are exceptions of one type; src/api turns them into e4j_status at the boundary.
#pragma once
#include <cstdarg>
#include <stdexcept>
#include <string>

#include "embed4j.h"

namespace e4j {

// What input can cause. Our own bugs are E4J_INTERNAL.
class Error : public std::runtime_error {
 public:
  Error(e4j_status status, std::string message) : std::runtime_error(std::move(message)), status_(status) {}
  e4j_status status() const noexcept { return status_; }

 private:
  e4j_status status_;
};

// printf-style; the message says what was found and what was expected.
[[noreturn]] void fail(e4j_status status, const char* format, ...) __attribute__((format(printf, 2, 3)));

// A broken invariant of our own: fails with E4J_INTERNAL, never ends the process.
#define E4J_CHECK(condition) \
  ((condition) ? (void)0 : ::e4j::fail(E4J_INTERNAL, "%s:%d: broken invariant: %s", __FILE_NAME__, __LINE__, #condition))

// The product, or `fail`: sizes come from files.
inline size_t checked_mul(size_t a, size_t b, const char* what) {
  size_t r;
  if (__builtin_mul_overflow(a, b, &r)) fail(E4J_BAD_FORMAT, "%s overflows: %zu * %zu", what, a, b);
  return r;
}
inline size_t checked_add(size_t a, size_t b, const char* what) {
  size_t r;
  if (__builtin_add_overflow(a, b, &r)) fail(E4J_BAD_FORMAT, "%s overflows: %zu + %zu", what, a, b);
  return r;
}

}  // namespace e4j
