#include "api/guard.h"
#include "cpu/dispatch.h"
#include "late/maxsim.h"

namespace e4j {
namespace {

void check_array(const void* array, size_t alignment, const char* name) {
  check_handle(array, name);
  if (reinterpret_cast<uintptr_t>(array) % alignment != 0)
    fail(E4J_INVALID_ARGUMENT, "%s is not aligned to %zu bytes", name, alignment);
}

// Stored rows need an alignment only where they are read as float32.
void check_stored(VectorStorage storage, const void* rows, const char* name) {
  check_array(rows, storage == VectorStorage::Float32 ? alignof(float) : 1, name);
}

// Rows of float32 beside stored rows, both in the caller's memory.
void check_rows(VectorStorage storage, int64_t rows, int dim, const void* stored, uint64_t stored_bytes,
                const char* stored_name, const float* values, const char* values_name) {
  if (rows < 1) fail(E4J_INVALID_ARGUMENT, "rows is %lld, expected at least 1", static_cast<long long>(rows));
  check_stored(storage, stored, stored_name);
  check_array(values, alignof(float), values_name);
  const size_t row_bytes = vector_row_bytes(storage, dim);
  size_t total, float_bytes;
  if (__builtin_mul_overflow(row_bytes, static_cast<size_t>(rows), &total) ||
      __builtin_mul_overflow(sizeof(float) * static_cast<size_t>(dim), static_cast<size_t>(rows), &float_bytes))
    fail(E4J_INVALID_ARGUMENT, "%lld rows of %d values overflow", static_cast<long long>(rows), dim);
  if (stored_bytes != total)
    fail(E4J_INVALID_ARGUMENT, "%s has %llu bytes, %lld rows of %d values take %zu", stored_name,
         static_cast<unsigned long long>(stored_bytes), static_cast<long long>(rows), dim, total);
}

// Every document within the rows there are, none empty.
void check_documents(const int64_t* cu_rows, const MaxSimShape& shape, int64_t rows) {
  for (int64_t d = shape.first_document; d < shape.first_document + shape.num_documents; ++d) {
    const long long number = d, begin = cu_rows[d], end = cu_rows[d + 1];
    if (begin < 0) fail(E4J_INVALID_ARGUMENT, "document %lld begins at row %lld", number, begin);
    if (begin == end) fail(E4J_INVALID_ARGUMENT, "document %lld is empty: cu_rows[%lld] and the next are %lld", number, number, begin);
    if (end < begin)
      fail(E4J_INVALID_ARGUMENT, "document %lld: cu_rows falls from %lld to %lld", number, begin, end);
    if (end > rows)
      fail(E4J_INVALID_ARGUMENT, "document %lld ends at row %lld, documents has %lld rows", number, end, static_cast<long long>(rows));
  }
}

MaxSimShape checked_shape(const e4j_maxsim_shape* shape) {
  check_struct(shape, "shape");
  const VectorStorage storage = checked_storage(shape->storage);
  const int dim = checked_dim(shape->dim);
  if (shape->query_rows < 1 || shape->query_rows > kMaxQueryRows)
    fail(E4J_INVALID_ARGUMENT, "query_rows is %d, expected 1 .. %d", shape->query_rows, kMaxQueryRows);
  if (shape->num_documents < 1)
    fail(E4J_INVALID_ARGUMENT, "num_documents is %lld, expected at least 1", static_cast<long long>(shape->num_documents));
  const size_t row_bytes = vector_row_bytes(storage, dim);
  if (shape->document_bytes % row_bytes != 0)
    fail(E4J_INVALID_ARGUMENT, "document_bytes is %llu, no multiple of the %zu bytes of a row",
         static_cast<unsigned long long>(shape->document_bytes), row_bytes);
  // Each document has a row, so this also bounds cu_rows before it is read.
  const uint64_t rows = shape->document_bytes / row_bytes;
  if (static_cast<uint64_t>(shape->num_documents) > rows)
    fail(E4J_INVALID_ARGUMENT, "num_documents is %lld, but documents has only %llu rows",
         static_cast<long long>(shape->num_documents), static_cast<unsigned long long>(rows));
  if (shape->first_document < 0 || static_cast<uint64_t>(shape->first_document) > rows - static_cast<uint64_t>(shape->num_documents))
    fail(E4J_INVALID_ARGUMENT, "first_document is %lld of %lld, documents has only %llu rows",
         static_cast<long long>(shape->first_document), static_cast<long long>(shape->num_documents), static_cast<unsigned long long>(rows));
  return {storage, dim, shape->query_rows, shape->first_document, shape->num_documents};
}

}  // namespace
}  // namespace e4j

using namespace e4j;

extern "C" e4j_status e4j_vector_row_bytes(int32_t storage, int64_t dim, uint64_t* out, e4j_error* error) {
  return guarded(error, [&] {
    check_handle(out, "out");
    *out = vector_row_bytes(checked_storage(storage), checked_dim(dim));
  });
}

extern "C" e4j_status e4j_encode_vectors(int32_t storage, const float* src, int64_t rows, int64_t dim, void* dst,
                                         uint64_t dst_bytes, e4j_error* error) {
  return guarded(error, [&] {
    const VectorStorage form = checked_storage(storage);
    const int values = checked_dim(dim);
    check_rows(form, rows, values, dst, dst_bytes, "dst", src, "src");
    encode_vectors(form, src, rows, values, dst);
  });
}

extern "C" e4j_status e4j_decode_vectors(int32_t storage, const void* src, uint64_t src_bytes, int64_t rows, int64_t dim,
                                         float* dst, e4j_error* error) {
  return guarded(error, [&] {
    const VectorStorage form = checked_storage(storage);
    const int values = checked_dim(dim);
    check_rows(form, rows, values, src, src_bytes, "src", dst, "dst");
    decode_vectors(form, src, rows, values, dst);
  });
}

extern "C" e4j_status e4j_maxsim(const e4j_maxsim_shape* shape, const float* query, const void* documents,
                                 const int64_t* cu_rows, float* scores, e4j_error* error) {
  return guarded(error, [&] {
    const MaxSimShape checked = checked_shape(shape);
    check_array(query, alignof(float), "query");
    check_stored(checked.storage, documents, "documents");
    check_array(cu_rows, alignof(int64_t), "cu_rows");
    check_array(scores, alignof(float), "scores");
    check_documents(cu_rows, checked,
                    static_cast<int64_t>(shape->document_bytes / vector_row_bytes(checked.storage, checked.dim)));
    maxsim(cpu::selected_kernels(), checked, query, static_cast<const std::byte*>(documents), cu_rows, scores);
  });
}
