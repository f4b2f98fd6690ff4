// Products through the functions of cuBLASLt that are bound at run time, here of its emulation: values, and one choice of
// algorithm per shape and alignment.
#include "cuda/cublas_lt.h"

#include <algorithm>
#include <cmath>
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
