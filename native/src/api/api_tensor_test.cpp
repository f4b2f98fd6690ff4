#include <cstdint>

#include "test.h"

namespace {

struct Call {
  e4j_error error{sizeof(e4j_error), 0, {}};
  bool failed(e4j_status status, const char* part) const {
    return status == E4J_INVALID_ARGUMENT && error.status == status && std::strstr(error.message, part) != nullptr;
  }
};

constexpr int32_t kQ8_0 = 8, kQ6_K = 14;

}  // namespace

TEST(row_bytes_of_every_type) {
  Call c;
  uint64_t bytes = 0;
  CHECK_EQ(e4j_row_bytes(kQ8_0, 64, &bytes, &c.error), E4J_OK);
  CHECK_EQ(bytes, 68u);
  CHECK(c.failed(e4j_row_bytes(kQ8_0, 65, &bytes, &c.error), "a row of 65 values cannot be Q8_0"));
  CHECK(c.failed(e4j_row_bytes(kQ6_K, 0, &bytes, &c.error), "positive multiple of 256"));
  CHECK(c.failed(e4j_row_bytes(2, 32, &bytes, &c.error), "type 2 (Q4_0) is not supported"));
  CHECK(c.failed(e4j_row_bytes(-5, 32, &bytes, &c.error), "type -5 (unknown)"));
  CHECK(c.failed(e4j_row_bytes(kQ8_0, 64, nullptr, &c.error), "out is NULL"));
  CHECK_EQ(e4j_row_bytes(kQ8_0, 65, &bytes, nullptr), E4J_INVALID_ARGUMENT);
}

TEST(values_go_through_the_c_functions) {
  Call c;
  std::vector<float> x(512), y(512);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 33) - 16.0f;
  for (const int32_t type : {0, 1, 8, 12, 13, 14, 30}) {
    uint64_t bytes = 0;
    CHECK_EQ(e4j_row_bytes(type, 256, &bytes, &c.error), E4J_OK);
    std::vector<unsigned char> stored(2 * bytes);
    CHECK_EQ(e4j_quantize(type, x.data(), 2, 256, stored.data(), stored.size(), &c.error), E4J_OK);
    CHECK_EQ(e4j_dequantize(type, stored.data(), stored.size(), 2, 256, y.data(), &c.error), E4J_OK);
    for (size_t i = 0; i < x.size(); ++i) CHECK(std::abs(x[i] - y[i]) < 1.5f);
  }
}

TEST(every_argument_is_checked) {
  Call c;
  std::vector<float> x(64, 1.0f);
  std::vector<unsigned char> stored(68);
  const auto quantize = [&](const float* src, int64_t rows, int64_t cols, void* dst, uint64_t bytes) {
    return e4j_quantize(kQ8_0, src, rows, cols, dst, bytes, &c.error);
  };
  CHECK_EQ(quantize(x.data(), 2, 32, stored.data(), 68), E4J_OK);
  CHECK(c.failed(quantize(nullptr, 2, 32, stored.data(), 68), "src is NULL"));
  CHECK(c.failed(quantize(x.data(), 2, 32, nullptr, 68), "dst is NULL"));
  CHECK(c.failed(quantize(x.data(), 0, 32, stored.data(), 0), "rows is 0"));
  CHECK(c.failed(quantize(x.data(), -1, 32, stored.data(), 68), "rows is -1"));
  CHECK(c.failed(quantize(x.data(), 2, 31, stored.data(), 68), "a row of 31 values"));
  CHECK(c.failed(quantize(x.data(), 2, 32, stored.data(), 67), "dst has 67 bytes, 2 rows of 32 values as Q8_0 take 68"));
  CHECK(c.failed(quantize(x.data(), INT64_MAX, 32, stored.data(), 68), "overflow"));
  const auto odd = reinterpret_cast<const float*>(reinterpret_cast<uintptr_t>(x.data()) + 1);
  CHECK(c.failed(quantize(odd, 1, 32, stored.data(), 34), "src is not aligned to 4 bytes"));
  x[40] = NAN;
  CHECK(c.failed(quantize(x.data(), 2, 32, stored.data(), 68), "row 1, column 8: nan cannot be stored as Q8_0"));

  const auto dequantize = [&](const void* src, uint64_t bytes, int64_t rows, float* dst) {
    return e4j_dequantize(kQ8_0, src, bytes, rows, 32, dst, &c.error);
  };
  CHECK(c.failed(dequantize(nullptr, 68, 2, x.data()), "src is NULL"));
  CHECK(c.failed(dequantize(stored.data(), 68, 2, nullptr), "dst is NULL"));
  CHECK(c.failed(dequantize(stored.data(), 69, 2, x.data()), "src has 69 bytes"));
  CHECK(c.failed(e4j_dequantize(7, stored.data(), 68, 2, 32, x.data(), &c.error), "type 7 (Q5_1)"));
}

TEST(rows_are_packed_through_the_c_functions) {
  Call c;
  // 17 rows of bf16: two panels, [K/2][16][2] each, of which the second holds one row.
  constexpr int32_t kBf16 = 30;
  constexpr int kRows = 17, kCols = 6;
  std::vector<uint16_t> rows(kRows * kCols);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<uint16_t>(i + 1);
  uint64_t bytes = 0;
  CHECK_EQ(e4j_packed_bytes(kBf16, kRows, kCols, &bytes, &c.error), E4J_OK);
  CHECK_EQ(bytes, 2u * kCols * 16 * 2);
  std::vector<uint16_t> packed(bytes / 2, 0xffff), parts(bytes / 2, 0xffff);
  const auto pack = [&](int first, int count, uint16_t* dst, uint64_t dst_bytes) {
    return e4j_pack(kBf16, rows.data() + first * kCols, static_cast<uint64_t>(count) * kCols * 2, count, kCols, dst, dst_bytes, &c.error);
  };
  CHECK_EQ(pack(0, kRows, packed.data(), bytes), E4J_OK);
  for (size_t p = 0; p < 2; ++p)
    for (size_t k = 0; k < kCols; ++k)
      for (size_t r = 0; r < 16; ++r)
        CHECK_EQ(packed[((p * kCols / 2 + k / 2) * 16 + r) * 2 + k % 2], p * 16 + r < kRows ? rows[(p * 16 + r) * kCols + k] : 0);
  CHECK_EQ(pack(0, 16, parts.data(), bytes / 2), E4J_OK);
  CHECK_EQ(pack(16, 1, parts.data() + bytes / 4, bytes / 2), E4J_OK);
  CHECK(parts == packed);

  CHECK(c.failed(pack(0, kRows, packed.data(), bytes - 1), "dst has 383 bytes, 17 rows of 6 values as packed BF16 take 384"));
  CHECK(c.failed(pack(0, kRows, nullptr, bytes), "dst is NULL"));
  CHECK(c.failed(e4j_pack(kBf16, rows.data(), 1, kRows, kCols, packed.data(), bytes, &c.error), "src has 1 bytes"));
  CHECK(c.failed(e4j_pack(kBf16, nullptr, 1, kRows, kCols, packed.data(), bytes, &c.error), "src is NULL"));
  CHECK(c.failed(e4j_packed_bytes(kQ8_0, 1, 33, &bytes, &c.error), "a row of 33 values"));
  CHECK(c.failed(e4j_packed_bytes(kQ8_0, int64_t{1} << 31, 32, &bytes, &c.error), "cannot be packed"));
  CHECK(c.failed(e4j_packed_bytes(kQ8_0, 0, 32, &bytes, &c.error), "cannot be packed"));
  CHECK(c.failed(e4j_packed_bytes(kQ8_0, 1, 32, nullptr, &c.error), "out is NULL"));
}
