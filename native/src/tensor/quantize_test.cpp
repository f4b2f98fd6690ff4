#include "tensor/quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/convert.h"
#include "test.h"

using namespace e4j;

namespace {

constexpr DType kTypes[] = {DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_K, DType::Q5_K, DType::Q6_K};
constexpr int64_t kRows = 4, kCols = 2048;

uint64_t mixed(uint64_t n) {  // SplitMix64's output for the n-th state
  uint64_t z = (n + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

enum class Rows { Uniform, HeavyTailed, Sparse, OneSided };

// The rows behind the golden hashes: every operation is exact or rounds once, the same on every machine.
std::vector<float> make_rows(Rows kind) {
  std::vector<float> x(kRows * kCols);
  for (size_t i = 0; i < x.size(); ++i) {
    const float u = static_cast<float>(static_cast<int64_t>(mixed(i) >> 40) - (1 << 23)) * 0x1p-23f;  // [-1, 1)
    const float u3 = u * u * u;
    switch (kind) {
      case Rows::Uniform: x[i] = u * 0.05f; break;
      case Rows::HeavyTailed: x[i] = u3 * u3 * u3 * 4.0f; break;
      case Rows::Sparse: x[i] = i / 32 % 3 == 0 ? 0.0f : mixed(~i) % 400 == 0 ? u * 100.0f : u; break;
      case Rows::OneSided: x[i] = (std::abs(u) + 0.25f) * (i / 512 % 2 == 0 ? 1.0f : -1.0f); break;
    }
  }
  return x;
}

uint64_t fnv1a(const std::vector<unsigned char>& bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const unsigned char b : bytes) hash = (hash ^ b) * 0x100000001b3u;
  return hash;
}

std::vector<unsigned char> quantized(DType type, const std::vector<float>& x, int64_t rows) {
  const int64_t cols = static_cast<int64_t>(x.size()) / rows;
  std::vector<unsigned char> out(static_cast<size_t>(rows) * row_bytes(type, cols));
  quantize_rows(type, x.data(), rows, cols, out.data());
  return out;
}

double rms_error(DType type, const std::vector<float>& x, const std::vector<unsigned char>& stored) {
  std::vector<float> y(x.size());
  dequantize_rows(type, stored.data(), 1, static_cast<int64_t>(x.size()), y.data());
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += std::pow(static_cast<double>(y[i]) - static_cast<double>(x[i]), 2);
  return std::sqrt(sum / static_cast<double>(x.size()));
}

// Value i of a block, straight from the format's definition.
float decoded(DType type, const unsigned char* b, int i) {
  const auto half = [b](int at) { return f16_to_f32(static_cast<uint16_t>(b[at] | b[at + 1] << 8)); };
  if (type == DType::Q8_0) return half(0) * static_cast<float>(static_cast<int8_t>(b[2 + i]));
  if (type == DType::Q6_K) {
    const int h = i / 128, k = i % 128, byte = 64 * h + k % 64;
    const int code = (k < 64 ? b[byte] & 15 : b[byte] >> 4) + 16 * (b[128 + 32 * h + k % 32] >> k / 32 * 2 & 3) - 32;
    return half(208) * static_cast<float>(static_cast<int8_t>(b[192 + i / 16])) * static_cast<float>(code);
  }
  const int j = i / 32;
  const unsigned char* s = b + 4;
  const int scale = j < 4 ? s[j] % 64 : s[j + 4] % 16 + s[j - 4] / 64 * 16;
  const int min = j < 4 ? s[j + 4] % 64 : s[j + 4] / 16 + s[j] / 64 * 16;
  const unsigned char* qs = type == DType::Q4_K ? b + 16 : b + 48;
  int code = qs[i / 64 * 32 + i % 32];
  code = j % 2 == 0 ? code % 16 : code / 16;
  if (type == DType::Q5_K) code += 16 * (b[16 + i % 32] >> j & 1);
  return half(0) * static_cast<float>(scale) * static_cast<float>(code) - half(2) * static_cast<float>(min);
}

}  // namespace

// From ggml's quantize_row_*_ref (ggml commit d99724f2) over the same rows, at -O2 on x86-64.
TEST(bytes_are_those_of_the_reference_quantisers) {
  struct Golden {
    DType type;
    Rows rows;
    uint64_t hash;
    double rms_error;
  };
  constexpr Golden kGoldens[] = {
      {DType::Q8_0, Rows::Uniform, 0xdb8cdb9a57b68d33u, 1.086549e-04},
      {DType::Q8_0, Rows::HeavyTailed, 0x45bc1c93b752f6aau, 5.306432e-03},
      {DType::Q8_0, Rows::Sparse, 0xb95f04ee8633fae4u, 2.442604e-02},
      {DType::Q8_0, Rows::OneSided, 0xee177e3a2c1146e5u, 2.729673e-03},
      {DType::Q4_K, Rows::Uniform, 0xcafbbacf528bfc85u, 1.571426e-03},
      {DType::Q4_K, Rows::HeavyTailed, 0xe255884039269b19u, 6.512156e-02},
      {DType::Q4_K, Rows::Sparse, 0x6a892f6852463645u, 1.181065e-01},
      {DType::Q4_K, Rows::OneSided, 0x296509610f0a8017u, 1.886605e-02},
      {DType::Q5_K, Rows::Uniform, 0xc2b36eec9a6984cau, 7.966372e-04},
      {DType::Q5_K, Rows::HeavyTailed, 0xcd210ebe7965a2eeu, 3.735864e-02},
      {DType::Q5_K, Rows::Sparse, 0x7119b50af6a11cd9u, 1.124170e-01},
      {DType::Q5_K, Rows::OneSided, 0x5061339b0e01ed3du, 9.538794e-03},
      {DType::Q6_K, Rows::Uniform, 0x3e4e79d4ec27eb52u, 3.835892e-04},
      {DType::Q6_K, Rows::HeavyTailed, 0xb5e96792186eaefeu, 1.577483e-02},
      {DType::Q6_K, Rows::Sparse, 0x44b180c15a273c13u, 6.394186e-02},
      {DType::Q6_K, Rows::OneSided, 0xf6fbbd5c6faa92ceu, 9.460259e-03},
  };
  for (const Golden& golden : kGoldens) {
    const std::vector<float> x = make_rows(golden.rows);
    const auto stored = quantized(golden.type, x, kRows);
    CHECK_EQ(fnv1a(stored), golden.hash);
    CHECK(std::abs(rms_error(golden.type, x, stored) / golden.rms_error - 1) < 1e-5);
  }
}

TEST(dequantised_values_follow_the_definition_for_any_bytes) {
  for (const DType type : {DType::Q8_0, DType::Q4_K, DType::Q5_K, DType::Q6_K}) {
    const int block = dtype_block(type), block_bytes = dtype_block_bytes(type);
    const int64_t cols = 64 * block;
    std::vector<unsigned char> bytes(row_bytes(type, cols));
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(mixed(i + 99) >> 17);
    std::vector<float> out(static_cast<size_t>(cols));
    dequantize_rows(type, bytes.data(), 1, cols, out.data());
    for (int i = 0; i < cols; ++i) {
      const float expected = decoded(type, bytes.data() + i / block * block_bytes, i % block);
      const float found = out[static_cast<size_t>(i)];
      CHECK(found == expected || (std::isnan(found) && std::isnan(expected)));
    }
  }
}

TEST(rows_are_independent_and_bytes_need_no_alignment) {
  const std::vector<float> x = make_rows(Rows::HeavyTailed);
  for (const DType type : kTypes) {
    const auto whole = quantized(type, x, kRows);
    const size_t bytes = row_bytes(type, kCols);
    std::vector<unsigned char> odd(bytes + 1);
    quantize_rows(type, x.data() + 2 * kCols, 1, kCols, odd.data() + 1);
    CHECK(std::memcmp(odd.data() + 1, whole.data() + 2 * bytes, bytes) == 0);
    std::vector<float> a(kCols), b(kCols);
    dequantize_rows(type, odd.data() + 1, 1, kCols, a.data());
    dequantize_rows(type, whole.data() + 2 * bytes, 1, kCols, b.data());
    CHECK(a == b);
  }
}

TEST(zeros_stay_zeros_and_f32_is_exact) {
  const std::vector<float> zeros(512, 0.0f);
  for (const DType type : kTypes) {
    const auto stored = quantized(type, zeros, 2);
    CHECK(stored == std::vector<unsigned char>(stored.size(), 0));
    CHECK_EQ(rms_error(type, zeros, stored), 0.0);
  }
  const std::vector<float> x = make_rows(Rows::Uniform);
  CHECK_EQ(rms_error(DType::F32, x, quantized(DType::F32, x, kRows)), 0.0);
}

TEST(q8_0_rounds_half_away_from_zero) {
  std::vector<float> x(32, 0.0f);
  const float values[] = {127.0f, 0.5f, -0.5f, 1.5f, 2.5f, -2.5f, 0x1.fffffep-2f, -126.5f};  // scale 1
  const int codes[] = {127, 1, -1, 2, 3, -3, 0, -127};
  std::copy(std::begin(values), std::end(values), x.begin());
  const auto stored = quantized(DType::Q8_0, x, 1);
  for (size_t i = 0; i < std::size(codes); ++i) CHECK_EQ(static_cast<int>(static_cast<int8_t>(stored[2 + i])), codes[i]);
}

TEST(tiny_and_flat_rows_stay_finite) {
  for (const float value : {1e-38f, 1e-42f, 1e-20f, 6e-8f, -3e-7f, 0.75f, -0.75f, 4e6f}) {
    const std::vector<float> flat(256, value);
    for (const DType type : {DType::Q8_0, DType::Q4_K, DType::Q5_K, DType::Q6_K}) {
      const double error = rms_error(type, flat, quantized(type, flat, 1));
      CHECK(error <= std::max(0.02 * std::abs(static_cast<double>(value)), 1e-5));
    }
  }
  std::vector<float> denormals(256);
  for (size_t i = 0; i < denormals.size(); ++i) denormals[i] = std::bit_cast<float>(static_cast<uint32_t>(i * 3));
  for (const DType type : kTypes) CHECK(rms_error(type, denormals, quantized(type, denormals, 1)) < 1e-38);
}

TEST(values_that_cannot_be_stored_are_refused) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const DType type : kTypes) {
    std::vector<float> x(1024, 0.5f);
    x[512 + 7] = -kInfinity;
    CHECK_THROWS(quantized(type, x, 2), E4J_INVALID_ARGUMENT, "row 1, column 7: -inf cannot be stored as");
    x[512 + 7] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS(quantized(type, x, 2), E4J_INVALID_ARGUMENT, "row 1, column 7: nan cannot be stored as");
    if (type == DType::F32) continue;
    for (const float large : {std::numeric_limits<float>::max(), -std::numeric_limits<float>::max()}) {
      x[512 + 7] = large;
      CHECK_THROWS(quantized(type, x, 2), E4J_INVALID_ARGUMENT, "row 1: values up to 3.40282e+38 in magnitude");
    }
  }
  CHECK_THROWS(quantized(DType::F16, {65520.0f}, 1), E4J_INVALID_ARGUMENT, "too large for F16");
  CHECK_EQ(rms_error(DType::F16, {65504.0f}, quantized(DType::F16, {65504.0f}, 1)), 0.0);
  std::vector<float> x(256, 0.0f);
  x[3] = 8.4e6f;  // the f16 scale of Q8_0 ends at 65504 * 127
  CHECK_THROWS(quantized(DType::Q8_0, x, 1), E4J_INVALID_ARGUMENT, "too large for Q8_0");
  x[3] = 6.6e7f;
  CHECK_THROWS(quantized(DType::Q4_K, x, 1), E4J_INVALID_ARGUMENT, "too large for Q4_K");
  x[3] = 1.4e8f;
  CHECK_THROWS(quantized(DType::Q5_K, x, 1), E4J_INVALID_ARGUMENT, "too large for Q5_K");
  x[3] = 2.7e8f;
  CHECK_THROWS(quantized(DType::Q6_K, x, 1), E4J_INVALID_ARGUMENT, "too large for Q6_K");
}
