#include "tensor/dtype.h"

#include "test.h"

using namespace e4j;

TEST(supported_types_have_names_blocks_and_bytes) {
  struct Expected {
    DType type;
    const char* name;
    int block, bytes;
  };
  for (const Expected& e : {Expected{DType::F32, "F32", 1, 4}, {DType::F16, "F16", 1, 2}, {DType::BF16, "BF16", 1, 2},
                            {DType::Q8_0, "Q8_0", 32, 34}, {DType::Q4_K, "Q4_K", 256, 144},
                            {DType::Q5_K, "Q5_K", 256, 176}, {DType::Q6_K, "Q6_K", 256, 210}}) {
    CHECK(dtype_supported(static_cast<int32_t>(e.type)));
    CHECK(std::string(dtype_name(e.type)) == e.name);
    CHECK(std::string(kSupportedTypes).find(e.name) != std::string::npos);
    CHECK_EQ(dtype_block(e.type), e.block);
    CHECK_EQ(dtype_block_bytes(e.type), e.bytes);
    CHECK_EQ(row_bytes(e.type, 512), static_cast<size_t>(512 / e.block * e.bytes));
  }
}

TEST(other_ggml_types_are_known_by_name_only) {
  int supported = 0;
  for (int32_t type = -2; type < 50; ++type) supported += dtype_supported(type);
  CHECK_EQ(supported, 7);
  CHECK(std::string(ggml_type_name(2)) == "Q4_0");
  CHECK(std::string(ggml_type_name(23)) == "IQ4_XS");
  CHECK(std::string(ggml_type_name(30)) == "BF16");
  CHECK(std::string(ggml_type_name(39)) == "MXFP4");
  CHECK(std::string(ggml_type_name(-1)) == "unknown");
  CHECK(std::string(ggml_type_name(43)) == "unknown");
  CHECK(dtype_name(static_cast<DType>(2)) == nullptr);
}

TEST(rows_are_whole_blocks) {
  CHECK_THROWS(row_bytes(DType::Q8_0, 33), E4J_INVALID_ARGUMENT, "a row of 33 values cannot be Q8_0");
  CHECK_THROWS(row_bytes(DType::Q4_K, 128), E4J_INVALID_ARGUMENT, "expected a positive multiple of 256");
  CHECK_THROWS(row_bytes(DType::F32, 0), E4J_INVALID_ARGUMENT, "a row of 0 values");
  CHECK_THROWS(row_bytes(DType::F32, -4), E4J_INVALID_ARGUMENT, "a row of -4 values");
  CHECK_THROWS(row_bytes(DType::F32, INT64_MAX), E4J_INVALID_ARGUMENT, "too large");
  CHECK_THROWS(row_bytes(static_cast<DType>(3), 32), E4J_INVALID_ARGUMENT, "type 3 (Q4_1) is not supported");
}
