// Every way to call the late interaction functions wrongly is a status and a message.
#include "embed4j.h"
#include "test.h"

#include <limits>

namespace {

struct Call {
  e4j_maxsim_shape shape{sizeof(e4j_maxsim_shape), E4J_VECTORS_FLOAT32, 4, 2, 0, 3, 6 * 16};
  alignas(8) float query[2 * 4] = {1, 0, 0, 0, 0, 1, 0, 0};
  alignas(8) float documents[6 * 4] = {1, 2, 3, 4, 5, 6};
  int64_t cu_rows[4] = {0, 1, 3, 6};
  float scores[3] = {};
  const float* query_at = query;
  const void* documents_at = documents;
  const int64_t* cu_rows_at = cu_rows;
  float* scores_at = scores;
  e4j_error error{sizeof(e4j_error), 0, {}};

  e4j_status run() { return e4j_maxsim(&shape, query_at, documents_at, cu_rows_at, scores_at, &error); }
};

// The change must make the call fail with this text.
template <class Change>
void refused(Change change, const char* text) {
  Call call;
  change(call);
  const e4j_status status = call.run();
  if (status != E4J_INVALID_ARGUMENT || std::strstr(call.error.message, text) == nullptr)
    e4j::test::failed(__FILE__, __LINE__, "status " + std::to_string(status) + ", message: " + call.error.message + "; expected: " + text);
}

const void* shifted(const void* p) { return static_cast<const char*>(p) + 1; }

}  // namespace

TEST(a_right_call_scores) {
  Call call;
  CHECK_EQ(call.run(), E4J_OK);
  CHECK_EQ(call.scores[0], 3.0f);  // row {1, 2, 3, 4}
  CHECK_EQ(call.scores[1], 11.0f); // rows {5, 6, 0, 0}, {0}
  CHECK_EQ(call.scores[2], 0.0f);
  call.shape.first_document = 1;
  call.shape.num_documents = 1;
  CHECK_EQ(call.run(), E4J_OK);
  CHECK_EQ(call.scores[0], 11.0f);
  CHECK_EQ(e4j_maxsim(nullptr, nullptr, nullptr, nullptr, nullptr, nullptr), E4J_INVALID_ARGUMENT);
}

TEST(a_wrong_shape_is_refused) {
  refused([](Call& c) { c.shape.struct_size = 8; }, "shape.struct_size is 8");
  refused([](Call& c) { c.shape.storage = 9; }, "storage is 9");
  refused([](Call& c) { c.shape.dim = 0; }, "dim is 0");
  refused([](Call& c) { c.shape.dim = 1 << 20; }, "dim is 1048576, expected 1 .. 4096");
  refused([](Call& c) { c.shape.query_rows = 0; }, "query_rows is 0");
  refused([](Call& c) { c.shape.query_rows = std::numeric_limits<int32_t>::max(); }, "query_rows is 2147483647");
  refused([](Call& c) { c.shape.num_documents = 0; }, "num_documents is 0");
  refused([](Call& c) { c.shape.num_documents = std::numeric_limits<int64_t>::max(); }, "but documents has only 6 rows");
  refused([](Call& c) { c.shape.first_document = -1; }, "first_document is -1");
  refused([](Call& c) { c.shape.first_document = std::numeric_limits<int64_t>::max(); }, "first_document is 9223372036854775807 of 3");
  refused([](Call& c) { c.shape.document_bytes = 97; }, "document_bytes is 97, no multiple of the 16 bytes of a row");
  refused([](Call& c) { c.shape.document_bytes = 80; }, "document 2 ends at row 6, documents has 5 rows");
}

TEST(wrong_pointers_are_refused) {
  refused([](Call& c) { c.query_at = nullptr; }, "query is NULL");
  refused([](Call& c) { c.documents_at = nullptr; }, "documents is NULL");
  refused([](Call& c) { c.cu_rows_at = nullptr; }, "cu_rows is NULL");
  refused([](Call& c) { c.scores_at = nullptr; }, "scores is NULL");
  refused([](Call& c) { c.query_at = static_cast<const float*>(shifted(c.query)); }, "query is not aligned to 4 bytes");
  refused([](Call& c) { c.documents_at = shifted(c.documents); }, "documents is not aligned to 4 bytes");
  refused([](Call& c) { c.cu_rows_at = static_cast<const int64_t*>(shifted(c.cu_rows)); }, "cu_rows is not aligned to 8 bytes");
}

TEST(wrong_documents_are_refused) {
  refused([](Call& c) { c.cu_rows[1] = 3; }, "document 1 is empty");
  refused([](Call& c) { c.cu_rows[0] = -1; }, "document 0 begins at row -1");
  refused([](Call& c) { c.cu_rows[2] = 0; }, "document 1: cu_rows falls from 1 to 0");
  refused([](Call& c) { c.cu_rows[3] = std::numeric_limits<int64_t>::max(); }, "document 2 ends at row 9223372036854775807");
  refused([](Call& c) { c.documents[4] = NAN; }, "document 1 (rows 1 .. 2)");
  refused([](Call& c) { c.query[7] = INFINITY; }, "query row 1, value 3 is not finite");
}

TEST(rows_are_converted_and_checked) {
  float x[6] = {1, -2, 3, -4, 5, -6}, y[6];
  unsigned char stored[64];
  uint64_t bytes = 0;
  e4j_error error{sizeof(e4j_error), 0, {}};
  CHECK_EQ(e4j_vector_row_bytes(E4J_VECTORS_INT8, 3, &bytes, &error), E4J_OK);
  CHECK_EQ(bytes, 7u);
  CHECK_EQ(e4j_encode_vectors(E4J_VECTORS_INT8, x, 2, 3, stored, 14, &error), E4J_OK);
  CHECK_EQ(e4j_decode_vectors(E4J_VECTORS_INT8, stored, 14, 2, 3, y, &error), E4J_OK);
  for (int i = 0; i < 6; ++i) CHECK(std::fabs(x[i] - y[i]) <= 6.0f / 254);
  // int8 rows may lie anywhere.
  CHECK_EQ(e4j_encode_vectors(E4J_VECTORS_INT8, x, 2, 3, stored + 1, 14, &error), E4J_OK);
  CHECK_EQ(e4j_encode_vectors(E4J_VECTORS_INT8, x, 2, 3, stored, 15, &error), E4J_INVALID_ARGUMENT);
  CHECK(std::strstr(error.message, "dst has 15 bytes, 2 rows of 3 values take 14") != nullptr);
  CHECK_EQ(e4j_encode_vectors(E4J_VECTORS_BINARY, x, std::numeric_limits<int64_t>::max(), 3, stored, 1, &error), E4J_INVALID_ARGUMENT);
  CHECK(std::strstr(error.message, "overflow") != nullptr);
  CHECK_EQ(e4j_encode_vectors(E4J_VECTORS_INT8, nullptr, 2, 3, stored, 14, &error), E4J_INVALID_ARGUMENT);
  CHECK_EQ(e4j_decode_vectors(E4J_VECTORS_INT8, stored, 14, 0, 3, y, &error), E4J_INVALID_ARGUMENT);
  CHECK_EQ(e4j_vector_row_bytes(E4J_VECTORS_INT8, 3, nullptr, &error), E4J_INVALID_ARGUMENT);
}
