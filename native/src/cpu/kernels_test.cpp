// Every kernel but the 8-bit ones on every tier this machine can run or emulate, against sums in double. Tolerances come from
// the scalar tier's own error.
#include "cpu/kernels.h"

#include <algorithm>

#include "guarded.h"
#include "random.h"
#include "tensor/convert.h"
#include "test.h"
#include "tier_tables.h"
#include "weights.h"

using namespace e4j;
using namespace e4j::cpu;
using e4j::test::Guarded;
using e4j::test::on_every_tier;
using e4j::test::Random;
using e4j::test::Weights;

namespace {

constexpr DType kFloatTypes[] = {DType::F32, DType::F16, DType::BF16};

// Largest error of c[m][n] against the exact products, in units of the row's typical magnitude.
double worst_error(const std::vector<float>& c, int m, int n, int c_stride, const std::vector<double>& exact) {
  double worst = 0;
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j)
      worst = std::max(worst, std::fabs(c[static_cast<size_t>(i * c_stride + j)] - exact[static_cast<size_t>(i * n + j)]));
  return worst;
}

struct FloatCase {
  int m, n, k;
};

// A matrix product's operands, with nothing to be read behind them.
struct FloatProduct {
  DType type;
  int k, panels;
  size_t w_panel_stride;
  Guarded<float> a32;
  Guarded<uint16_t> a16;
  Guarded<std::byte> w;

  FloatProduct(DType of, const PackedMatrix& m, const std::vector<float>& f32, const std::vector<uint16_t>& bf16)
      : type(of), k(m.k), panels(m.panels), w_panel_stride(m.panel_bytes / (of == DType::F32 ? 4 : 2)), a32(f32), a16(bf16),
        w(std::vector<std::byte>(m.data, m.data + m.bytes())) {}

  void run(const Kernels& kernels, int first_row, int m, float* c, int c_stride, bool accumulate) const {
    const void* a = type == DType::BF16 ? static_cast<const void*>(a16.data() + first_row * k) : a32.data() + first_row * k;
    const GemmTile t{m, k, panels, accumulate, a, static_cast<size_t>(k), w.data(), w_panel_stride, c, static_cast<size_t>(c_stride), {}};
    type == DType::F32 ? kernels.gemm_f32(t) : type == DType::F16 ? kernels.gemm_f16(t) : kernels.gemm_bf16(t);
  }
};

}  // namespace

TEST(float_products_match_on_every_tier) {
  Random random(1);
  for (DType type : kFloatTypes)
    for (const FloatCase s : {FloatCase{13, 80, 96}, FloatCase{6, 64, 512}, FloatCase{1, 16, 2}, FloatCase{7, 48, 130}, FloatCase{37, 32, 34}}) {
      Weights w(type, s.n, s.k, random);
      std::vector<float> a32 = random.normals(static_cast<size_t>(s.m * s.k));
      std::vector<uint16_t> a16(a32.size());
      for (size_t i = 0; i < a32.size(); ++i) a16[i] = f32_to_bf16(a32[i]);
      const FloatProduct product(type, w.packed, a32, a16);
      // Rows lie apart, and what is between them stays as it is.
      const int c_stride = s.n + 16;
      std::vector<float> start = random.normals(static_cast<size_t>(s.m * c_stride));
      for (const bool accumulate : {true, false}) {
        std::vector<double> exact(static_cast<size_t>(s.m * s.n));
        for (int i = 0; i < s.m; ++i)
          for (int j = 0; j < s.n; ++j) {
            double sum = accumulate ? start[static_cast<size_t>(i * c_stride + j)] : 0;
            for (int k = 0; k < s.k; ++k) {
              const size_t at = static_cast<size_t>(i * s.k + k);
              sum += (type == DType::BF16 ? bf16_to_f32(a16[at]) : a32[at]) * static_cast<double>(w.values[static_cast<size_t>(j * s.k + k)]);
            }
            exact[static_cast<size_t>(i * s.n + j)] = sum;
          }
        double reference_error = 0;
        on_every_tier([&](const std::string& tier, const Kernels& kernels) {
          std::vector<float> c = start;
          product.run(kernels, 0, s.m, c.data(), c_stride, accumulate);
          const double error = worst_error(c, s.m, s.n, c_stride, exact);
          if (tier == "scalar") reference_error = error;
          if (!(error <= 2 * reference_error + 1e-6))
            test::failed(__FILE__, __LINE__, tier + " " + dtype_name(type) + ": error " + std::to_string(error) + " against " + std::to_string(reference_error));
          // A row's result does not depend on the rows beside it.
          for (int i = 0; i < s.m; ++i) {
            std::vector<float> alone(start.begin() + i * c_stride, start.begin() + (i + 1) * c_stride);
            product.run(kernels, i, 1, alone.data(), c_stride, accumulate);
            CHECK(std::memcmp(alone.data(), c.data() + i * c_stride, static_cast<size_t>(c_stride) * 4) == 0);
            CHECK(std::memcmp(alone.data() + s.n, start.data() + i * c_stride + s.n, 16 * 4) == 0);
          }
        });
      }
    }
}

TEST(elementwise_kernels_match_on_every_tier) {
  Random random(3);
  on_every_tier([&](const std::string&, const Kernels& k) {
    for (int n : {1, 15, 16, 80, 131, 2048}) {
      const size_t size = static_cast<size_t>(n);
      const std::vector<float> x = random.normals(size, 3), weight = random.normals(size);
      std::vector<float> y(size);
      k.rms_norm(x.data(), weight.data(), n, 1e-6f, y.data());
      double square = 0;
      for (float v : x) square += static_cast<double>(v) * v;
      for (size_t i = 0; i < size; ++i)
        CHECK(std::fabs(y[i] - x[i] / std::sqrt(square / n + 1e-6) * weight[i]) <= 1e-5 * std::fabs(y[i]) + 1e-7);

      std::vector<float> gate = random.normals(size, 20);
      const std::vector<float> before = gate;
      k.swiglu(gate.data(), x.data(), n);
      for (size_t i = 0; i < size; ++i) {
        const double exact = before[i] / (1 + std::exp(-static_cast<double>(before[i]))) * x[i];
        CHECK(std::fabs(gate[i] - exact) <= 1e-6 * std::fabs(exact) + 1e-30);
      }

      std::vector<uint16_t> b(size);
      k.to_bf16(x.data(), n, b.data());
      for (size_t i = 0; i < size; ++i) CHECK_EQ(b[i], f32_to_bf16(x[i]));

      std::vector<float> scores = x;
      const int valid = std::max(1, n - 5);
      float max = -INFINITY, sum = 0;
      CHECK(k.softmax_block(scores.data(), n, valid, 0.25f, &max, &sum) == 0.0f);
      double total = 0;
      for (int i = 0; i < valid; ++i) total += std::exp(0.25 * x[static_cast<size_t>(i)] - max);
      CHECK(std::fabs(sum - total) <= 1e-5 * total);
      for (int i = 0; i < n; ++i) {
        const double exact = i < valid ? std::exp(0.25 * x[static_cast<size_t>(i)] - max) : 0;
        CHECK(std::fabs(scores[static_cast<size_t>(i)] - exact) <= 1e-6 * exact);
      }
    }
    // A block with nothing to see changes nothing.
    float scores[16] = {1, 2, 3}, max = 0.5f, sum = 2;
    CHECK(k.softmax_block(scores, 16, 0, 1, &max, &sum) == 1.0f && max == 0.5f && sum == 2.0f && scores[1] == 0.0f);
    // A value that is not finite makes its block's scale NaN, and with it whatever is multiplied.
    for (const float value : {NAN, INFINITY, -INFINITY}) {
      std::vector<float> row(64, 1.0f);
      row[40] = value;
      int8_t q[64];
      float scales[2], sums[2];
      int32_t offsets[2], half_offsets[4];
      k.quantize_row(row.data(), 64, {q, scales, sums, offsets, half_offsets});
      CHECK(std::isfinite(scales[0]) && std::isnan(scales[1]));
    }
    // bf16 keeps NaN and infinities.
    const float special[] = {NAN, INFINITY, -INFINITY, -0.0f};
    uint16_t b[4];
    k.to_bf16(special, 4, b);
    CHECK(std::isnan(bf16_to_f32(b[0])) && bf16_to_f32(b[1]) == INFINITY && bf16_to_f32(b[2]) == -INFINITY && b[3] == 0x8000);
  });
}

TEST(rotation_and_row_sums) {
  on_every_tier([&](const std::string&, const Kernels& k) {
    for (int half : {40, 64}) {
      Random random(4);
      std::vector<float> x = random.normals(static_cast<size_t>(2 * half)), cos(static_cast<size_t>(half)), sin(cos);
      for (int j = 0; j < half; ++j) {
        cos[static_cast<size_t>(j)] = static_cast<float>(std::cos(j * 0.1));
        sin[static_cast<size_t>(j)] = static_cast<float>(std::sin(j * 0.1));
      }
      const std::vector<float> before = x;
      k.rotate(x.data(), cos.data(), sin.data(), half);
      for (size_t j = 0; j < static_cast<size_t>(half); ++j) {
        const size_t o = j + static_cast<size_t>(half);
        CHECK(std::fabs(x[j] - (before[j] * cos[j] - before[o] * sin[j])) < 1e-6f);
        CHECK(std::fabs(x[o] - (before[o] * cos[j] + before[j] * sin[j])) < 1e-6f);
      }
      k.scale(x.data(), half, 2);
      k.add(x.data(), before.data(), half);
      CHECK(std::fabs(x[0] - (2 * (before[0] * cos[0] - before[static_cast<size_t>(half)] * sin[0]) + before[0])) < 1e-5f);
    }
  });
}

TEST(largest_of_rows_on_every_tier) {
  Random random(8);
  for (const int m : {0, 1, 5}) {
    constexpr size_t kCols = 48, kStride = 64;
    std::vector<float> c = random.normals(kStride * 5);
    const float special[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; ++i) c[kStride * 2 + 7 + 16 * i] = special[i];
    const std::vector<float> before = random.normals(kCols);
    on_every_tier([&](const std::string&, const Kernels& kernels) {
      std::vector<float> best = before, poison(kCols);
      kernels.max_rows(c.data(), m, kCols, kStride, best.data(), poison.data());
      for (size_t n = 0; n < kCols; ++n) {
        float largest = before[n];
        bool finite = true;
        for (size_t r = 0; r < static_cast<size_t>(m); ++r) {
          const float x = c[r * kStride + n];
          if (x > largest) largest = x;
          finite = finite && std::isfinite(x);
        }
        if (finite) CHECK(best[n] == largest && poison[n] == 0.0f);
        else CHECK(std::isnan(poison[n]));
      }
    });
  }
}

TEST(bits_expand_on_every_tier) {
  Random random(9);
  for (const int n : {1, 3, 4, 5, 7, 8, 9, 16, 17, 512}) {
    std::vector<uint8_t> bits(static_cast<size_t>(n));
    for (uint8_t& b : bits) b = static_cast<uint8_t>(random.bits());
    on_every_tier([&](const std::string&, const Kernels& kernels) {
      std::vector<uint8_t> y(static_cast<size_t>(8 * n) + 8, 7);
      kernels.expand_bits(bits.data(), n, y.data());
      for (size_t i = 0; i < y.size(); ++i)
        CHECK_EQ(static_cast<int>(y[i]), i / 8 == bits.size() ? 7 : (bits[i / 8] >> (7 - i % 8) & 1) != 0 ? 129 : 127);
    });
  }
}

// The last test of this file, since it looks back on the others.
TEST(every_kernel_was_reached_on_every_tier) {
  for (const Kernels& table : test::tier_tables())
    for (const test::KernelMember& m : test::kMembers)
      if (m.tested_in == test::TestedIn::Kernels && !m.reached(table.tier)) test::failed(__FILE__, __LINE__, std::string(table.tier) + " " + m.name + " was never called");
}
