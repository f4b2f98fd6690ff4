#include <cstring>
#include <limits>

#include "api/guard.h"
#include "tensor/packed.h"
#include "tensor/quantize.h"

namespace e4j {
namespace {

using Ull = unsigned long long;

// Rows of the stored type in the caller's memory: every extent representable.
void check_stored(int32_t type, int64_t rows, int64_t cols, const void* stored, uint64_t stored_bytes, const char* name) {
  const size_t bytes = row_bytes(static_cast<DType>(type), cols);
  if (rows < 1) fail(E4J_INVALID_ARGUMENT, "rows is %lld, expected at least 1", static_cast<long long>(rows));
  check_handle(stored, name);
  size_t total;
  if (__builtin_mul_overflow(bytes, static_cast<size_t>(rows), &total))
    fail(E4J_INVALID_ARGUMENT, "%lld rows of %lld values overflow", static_cast<long long>(rows), static_cast<long long>(cols));
  if (stored_bytes != total)
    fail(E4J_INVALID_ARGUMENT, "%s has %llu bytes, %lld rows of %lld values as %s take %zu", name, static_cast<Ull>(stored_bytes),
         static_cast<long long>(rows), static_cast<long long>(cols), dtype_name(static_cast<DType>(type)), total);
}

// And float32 values beside them.
void check_rows(int32_t type, int64_t rows, int64_t cols, const void* stored, uint64_t stored_bytes, const char* stored_name,
                const float* values, const char* values_name) {
  check_stored(type, rows, cols, stored, stored_bytes, stored_name);
  check_handle(values, values_name);
  if (reinterpret_cast<uintptr_t>(values) % alignof(float) != 0)
    fail(E4J_INVALID_ARGUMENT, "%s is not aligned to %zu bytes", values_name, alignof(float));
  size_t floats;
  if (__builtin_mul_overflow(static_cast<size_t>(rows), static_cast<size_t>(cols), &floats) ||
      floats > std::numeric_limits<int64_t>::max() / sizeof(float))
    fail(E4J_INVALID_ARGUMENT, "%lld rows of %lld values overflow", static_cast<long long>(rows), static_cast<long long>(cols));
}

size_t checked_packed_bytes(int32_t type, int64_t rows, int64_t cols) {
  row_bytes(static_cast<DType>(type), cols);
  const size_t bytes = packed_bytes(static_cast<DType>(type), rows, cols);
  if (bytes == 0)
    fail(E4J_INVALID_ARGUMENT, "%lld rows of %lld values cannot be packed, expected 1 to 2^31-1 of each", static_cast<long long>(rows),
         static_cast<long long>(cols));
  return bytes;
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

extern "C" e4j_status e4j_packed_bytes(int32_t type, int64_t rows, int64_t cols, uint64_t* out, e4j_error* error) {
  return guarded(error, [&] {
    check_handle(out, "out");
    *out = checked_packed_bytes(type, rows, cols);
  });
}

extern "C" e4j_status e4j_pack(int32_t type, const void* src, uint64_t src_bytes, int64_t rows, int64_t cols, void* dst,
                               uint64_t dst_bytes, e4j_error* error) {
  return guarded(error, [&] {
    check_stored(type, rows, cols, src, src_bytes, "src");
    check_handle(dst, "dst");
    const size_t bytes = checked_packed_bytes(type, rows, cols);
    if (dst_bytes != bytes)
      fail(E4J_INVALID_ARGUMENT, "dst has %llu bytes, %lld rows of %lld values as packed %s take %zu", static_cast<Ull>(dst_bytes),
           static_cast<long long>(rows), static_cast<long long>(cols), dtype_name(static_cast<DType>(type)), bytes);
    std::memset(dst, 0, bytes);
    pack_rows(static_cast<DType>(type), static_cast<const std::byte*>(src), static_cast<int>(rows), static_cast<int>(cols), static_cast<std::byte*>(dst));
  });
}
