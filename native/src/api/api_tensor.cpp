#include <limits>

#include "api/guard.h"
#include "tensor/quantize.h"

namespace e4j {
namespace {

// Rows of float32 in the caller's memory beside rows of the stored type: every extent representable.
void check_rows(int32_t type, int64_t rows, int64_t cols, const void* stored, uint64_t stored_bytes,
                const char* stored_name, const float* values, const char* values_name) {
  const size_t bytes = row_bytes(static_cast<DType>(type), cols);
  if (rows < 1) fail(E4J_INVALID_ARGUMENT, "rows is %lld, expected at least 1", static_cast<long long>(rows));
  check_handle(stored, stored_name);
  check_handle(values, values_name);
  if (reinterpret_cast<uintptr_t>(values) % alignof(float) != 0)
    fail(E4J_INVALID_ARGUMENT, "%s is not aligned to %zu bytes", values_name, alignof(float));
  size_t total, floats;
  if (__builtin_mul_overflow(bytes, static_cast<size_t>(rows), &total) ||
      __builtin_mul_overflow(static_cast<size_t>(rows), static_cast<size_t>(cols), &floats) ||
      floats > std::numeric_limits<int64_t>::max() / sizeof(float))
    fail(E4J_INVALID_ARGUMENT, "%lld rows of %lld values overflow", static_cast<long long>(rows),
         static_cast<long long>(cols));
  if (stored_bytes != total)
    fail(E4J_INVALID_ARGUMENT, "%s has %llu bytes, %lld rows of %lld values as %s take %zu", stored_name,
         static_cast<unsigned long long>(stored_bytes), static_cast<long long>(rows), static_cast<long long>(cols),
         dtype_name(static_cast<DType>(type)), total);
}

}  // namespace
}  // namespace e4j

using namespace e4j;

extern "C" e4j_status e4j_row_bytes(int32_t type, int64_t cols, uint64_t* out, e4j_error* error) {
  return guarded(error, [&] {
    check_handle(out, "out");
    *out = row_bytes(static_cast<DType>(type), cols);
  });
}

extern "C" e4j_status e4j_quantize(int32_t type, const float* src, int64_t rows, int64_t cols, void* dst,
                                   uint64_t dst_bytes, e4j_error* error) {
  return guarded(error, [&] {
    check_rows(type, rows, cols, dst, dst_bytes, "dst", src, "src");
    quantize_rows(static_cast<DType>(type), src, rows, cols, dst);
  });
}

extern "C" e4j_status e4j_dequantize(int32_t type, const void* src, uint64_t src_bytes, int64_t rows, int64_t cols,
                                     float* dst, e4j_error* error) {
  return guarded(error, [&] {
    check_rows(type, rows, cols, src, src_bytes, "src", dst, "dst");
    dequantize_rows(static_cast<DType>(type), src, rows, cols, dst);
  });
}
