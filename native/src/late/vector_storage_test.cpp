#include "late/vector_storage.h"

#include <algorithm>
#include <limits>

#include "random.h"
#include "test.h"

using namespace e4j;
using e4j::test::Random;

namespace {

constexpr VectorStorage kAll[] = {VectorStorage::Float32, VectorStorage::Int8, VectorStorage::Binary};

std::vector<std::byte> encoded(VectorStorage storage, const std::vector<float>& x, int dim) {
  const int64_t rows = static_cast<int64_t>(x.size()) / dim;
  // Guard bytes behind the rows must stay what they are.
  const size_t bytes = static_cast<size_t>(rows) * vector_row_bytes(storage, dim);
  std::vector<std::byte> out(bytes + 16, std::byte{0xA5});
  encode_vectors(storage, x.data(), rows, dim, out.data());
  for (size_t i = bytes; i < out.size(); ++i) CHECK(out[i] == std::byte{0xA5});
  out.resize(bytes);
  return out;
}

std::vector<float> round_trip(VectorStorage storage, const std::vector<float>& x, int dim) {
  std::vector<float> y(x.size());
  decode_vectors(storage, encoded(storage, x, dim).data(), static_cast<int64_t>(x.size()) / dim, dim, y.data());
  return y;
}

}  // namespace

TEST(a_row_has_the_documented_size) {
  CHECK_EQ(vector_row_bytes(VectorStorage::Float32, 128), 512u);
  CHECK_EQ(vector_row_bytes(VectorStorage::Int8, 128), 132u);
  CHECK_EQ(vector_row_bytes(VectorStorage::Binary, 128), 16u);
  CHECK_EQ(vector_row_bytes(VectorStorage::Binary, 129), 17u);
  CHECK_EQ(vector_row_bytes(VectorStorage::Binary, 1), 1u);
}

TEST(values_come_back_within_the_form) {
  Random random(1);
  for (int dim : {1, 3, 7, 8, 9, 64, 127, 128, 130, 4096}) {
    const std::vector<float> x = random.normals(static_cast<size_t>(5 * dim));
    const std::vector<float> whole = round_trip(VectorStorage::Float32, x, dim), eight = round_trip(VectorStorage::Int8, x, dim),
                             signs = round_trip(VectorStorage::Binary, x, dim);
    for (size_t row = 0; row < 5; ++row) {
      float amax = 0;
      for (size_t i = row * static_cast<size_t>(dim); i < (row + 1) * static_cast<size_t>(dim); ++i) amax = std::max(amax, std::fabs(x[i]));
      for (size_t i = row * static_cast<size_t>(dim); i < (row + 1) * static_cast<size_t>(dim); ++i) {
        CHECK(whole[i] == x[i]);
        CHECK(std::fabs(eight[i] - x[i]) <= amax / 127 * 0.50001f);
        CHECK(std::fabs(std::fabs(signs[i]) - 1 / std::sqrt(static_cast<float>(dim))) < 1e-7f && (signs[i] > 0) == (x[i] > 0));
      }
    }
  }
}

TEST(bits_lie_as_packbits_lays_them) {
  const std::vector<float> x = {1, -1, 0, 2, 1e-30f, -0.0f, -3, 4, 5, -1};
  const auto bits = encoded(VectorStorage::Binary, x, 10);
  CHECK(bits.size() == 2 && bits[0] == std::byte{0b10011001} && bits[1] == std::byte{0b10000000});
}

TEST(extreme_rows_keep_their_scale) {
  const float huge = std::numeric_limits<float>::max(), tiny = std::numeric_limits<float>::denorm_min();
  CHECK(std::fabs(round_trip(VectorStorage::Int8, {huge, -huge, 0}, 3)[1] / huge + 1) < 1e-6f);
  for (float v : round_trip(VectorStorage::Int8, {tiny, -tiny, 0}, 3)) CHECK(v == 0);
  for (float v : round_trip(VectorStorage::Int8, {0, 0}, 2)) CHECK(v == 0);
  const float small = 1e-40f;  // scale is subnormal: few digits, but no value runs over
  CHECK(std::fabs(round_trip(VectorStorage::Int8, {small, -small}, 2)[0] / small - 1) < 0.01f);
}

TEST(what_cannot_be_stored_is_refused) {
  for (VectorStorage storage : kAll)
    for (float bad : {NAN, INFINITY, -INFINITY})
      CHECK_THROWS(encoded(storage, {1, 2, 3, 4, bad, 6}, 3), E4J_INVALID_ARGUMENT, "row 1, value 1 is");
  for (float bad : {NAN, INFINITY, -1.0f}) {
    auto rows = encoded(VectorStorage::Int8, {1, 2, 3, 4}, 2);
    std::memcpy(rows.data() + 6, &bad, 4);
    float y[4];
    CHECK_THROWS(decode_vectors(VectorStorage::Int8, rows.data(), 2, 2, y), E4J_INVALID_ARGUMENT, "row 1: its scale is");
  }
  CHECK_THROWS(checked_storage(3), E4J_INVALID_ARGUMENT, "storage is 3");
  CHECK_THROWS(checked_storage(-1), E4J_INVALID_ARGUMENT, "storage is -1");
  CHECK_THROWS(checked_dim(0), E4J_INVALID_ARGUMENT, "dim is 0");
  CHECK_THROWS(checked_dim(4097), E4J_INVALID_ARGUMENT, "dim is 4097, expected 1 .. 4096");
}
