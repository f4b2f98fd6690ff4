// Products through the functions of cuBLASLt that are bound at run time, here of its emulation: values, and one choice of
// algorithm per shape and alignment.
#include "cuda/cublas_lt.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "cuda/element.h"
#include "random.h"
#include "test.h"

using namespace e4j;
using namespace e4j::cuda;

namespace {

struct Operands {
  static constexpr int kStride = 320;
  alignas(256) uint16_t x[40 * kStride], w[40 * kStride], d16[40 * kStride], bias16[64];
  alignas(256) float d32[40 * kStride], bias32[64];
  explicit Operands(test::Random& random) {
    for (uint16_t* p : {x, w, d16})
      for (int i = 0; i < 40 * kStride; ++i) p[i] = to_bf16(random.normal());
    for (float& v : d32) v = random.normal();
    for (int i = 0; i < 64; ++i) bias32[i] = from_bf16(bias16[i] = to_bf16(random.normal()));
  }
};

}  // namespace

TEST(products_are_scaled_biased_and_accumulated) {
  CublasLt library("");
  library.open();
  GemmPlans plans(library);
  test::Random random(1);
  int workspace = 0;
  for (const bool f32 : {false, true})
    for (const bool bias : {false, true})
      for (const bool accumulate : {false, true}) {
        Operands o(random);
        const auto before = std::make_unique<Operands>(o);
        const int m = 17, n = 33, k = 64;
        const Gemm gemm{m, n, k, o.x, o.kStride, o.w, o.kStride, bias ? (f32 ? static_cast<void*>(o.bias32) : o.bias16) : nullptr,
                        f32 ? static_cast<void*>(o.d32) : o.d16, o.kStride, f32, accumulate, 0.5f};
        plans.run(gemm, &workspace, nullptr);
        double worst = 0;
        for (int i = 0; i < m; ++i)
          for (int j = 0; j < n; ++j) {
            double want = bias ? o.bias32[j] : 0;
            const size_t at = static_cast<size_t>(i * o.kStride + j);
            for (int c = 0; c < k; ++c) want += 0.5 * from_bf16(o.x[i * o.kStride + c]) * from_bf16(o.w[j * o.kStride + c]);
            if (accumulate) want += f32 ? before->d32[at] : from_bf16(before->d16[at]);
            worst = std::max(worst, std::fabs((f32 ? o.d32[at] : from_bf16(o.d16[at])) - want) / (1 + std::fabs(want)));
          }
        CHECK(worst < (f32 ? 1e-5 : 0.005));
        CHECK(o.d32[n] == before->d32[n] && o.d16[n] == before->d16[n]);  // nothing beyond the last column
      }
}

TEST(products_of_fp8_are_scaled_by_rows_or_as_a_whole) {
  CublasLt library("");
  library.open();
  GemmPlans plans(library);
  test::Random random(4);
  int workspace = 0;
  const int m = 9, n = 32, k = 48;
  alignas(256) uint8_t x[m * k], w[n * k];
  alignas(256) float x_scales[m], w_scales[n];
  for (uint8_t& v : x) v = to_e4m3(random.normal() * 50);
  for (uint8_t& v : w) v = to_e4m3(random.normal() * 50);
  for (float& v : x_scales) v = 0.01f + std::fabs(random.normal());
  for (float& v : w_scales) v = 0.01f + std::fabs(random.normal());
  for (const bool by_rows : {false, true})
    for (const bool f32 : {false, true}) {
      Operands o(random);
      const auto before = std::make_unique<Operands>(o);
      const Gemm gemm{m, n, k, x, k, w, k, o.bias16, f32 ? static_cast<void*>(o.d32) : o.d16, o.kStride, f32, true, 1.0f, x_scales, w_scales, by_rows};
      plans.run(gemm, &workspace, nullptr);
      double worst = 0;
      for (int i = 0; i < m; ++i)
        for (int j = 0; j < n; ++j) {
          double want = 0;
          for (int c = 0; c < k; ++c) want += static_cast<double>(from_e4m3(x[i * k + c])) * from_e4m3(w[j * k + c]);
          want *= static_cast<double>(x_scales[by_rows ? i : 0]) * w_scales[by_rows ? j : 0];
          const size_t at = static_cast<size_t>(i * o.kStride + j);
          want += o.bias32[j] + (f32 ? before->d32[at] : from_bf16(before->d16[at]));  // bias32 holds bf16 values
          worst = std::max(worst, std::fabs((f32 ? o.d32[at] : from_bf16(o.d16[at])) - want) / (1 + std::fabs(want)));
        }
      CHECK(worst < (f32 ? 1e-5 : 0.005));
    }
  CHECK_EQ(plans.size(), 4u);
  // What cuBLASLt has no kernels for.
  Operands o(random);
  Gemm gemm{m, n, k, x, k, w, k, nullptr, o.d16, o.kStride, false, false, 1.0f, x_scales, w_scales, true};
  ::setenv("EMULATED_CUBLASLT_VERSION", "120800", 1);
  CHECK_THROWS(plans.run(gemm, &workspace, nullptr), E4J_INTERNAL, "no scales of rows for m 9, n 32, k 48 (bf16, fp8 by rows)");
  ::unsetenv("EMULATED_CUBLASLT_VERSION");
  gemm.k = 40;
  CHECK_THROWS(plans.run(gemm, &workspace, nullptr), E4J_INTERNAL, "no algorithm");
  gemm.k = k;
  ::setenv("EMULATED_CAPABILITY", "89", 1);
  gemm.m = 8;
  CHECK_THROWS(plans.run(gemm, &workspace, nullptr), E4J_INTERNAL, "no algorithm");
  ::unsetenv("EMULATED_CAPABILITY");
}

TEST(an_algorithm_is_chosen_once_per_shape_and_alignment) {
  CublasLt library("");
  library.open();
  GemmPlans plans(library);
  test::Random random(2);
  Operands o(random);
  int workspace = 0;
  Gemm gemm{8, 16, 64, o.x, o.kStride, o.w, o.kStride, nullptr, o.d16, o.kStride, false, false, 1.0f};
  for (int i = 0; i < 3; ++i) plans.run(gemm, &workspace, nullptr);
  CHECK_EQ(plans.size(), 1u);
  gemm.x = o.x + 8;  // 16 bytes further: less aligned than promised before
  plans.run(gemm, &workspace, nullptr);
  CHECK_EQ(plans.size(), 2u);
  gemm.m = 9;
  plans.run(gemm, &workspace, nullptr);
  plans.run(gemm, &workspace, nullptr);
  CHECK_EQ(plans.size(), 3u);
  // Of as many lengths as come, a bounded number is remembered.
  alignas(256) static uint16_t one[16];
  Gemm row{1, 1, 1, one, 1, one, 1, nullptr, one + 8, 1, false, false, 1.0f};
  for (int64_t i = 0; i < 2500; ++i) {
    row.w_stride = 1 + i;
    plans.run(row, &workspace, nullptr);
  }
  CHECK(plans.size() <= GemmPlans::kMost);
}

TEST(a_product_that_is_refused_names_its_shape) {
  CublasLt library("");
  library.open();
  GemmPlans plans(library);
  test::Random random(3);
  Operands o(random);
  int workspace = 0;
  const Gemm gemm{8, 16, 64, o.x, 32, o.w, o.kStride, nullptr, o.d32, o.kStride, true, true, 1.0f};  // rows overlap
  CHECK_THROWS(plans.run(gemm, &workspace, nullptr), E4J_INTERNAL, "no algorithm for m 8, n 16, k 64 (f32, accumulating): status 7");
  CHECK_EQ(plans.size(), 0u);
}
