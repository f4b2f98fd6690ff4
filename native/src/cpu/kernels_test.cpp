// Every kernel on every tier this machine can run, against sums in double. Tolerances come from the scalar tier's own error.
#include "cpu/kernels.h"

#include <algorithm>

#include "base/thread_pool.h"
#include "cpu/dispatch.h"
#include "cpu/packed_matrix.h"
#include "random.h"
#include "tensor/convert.h"
#include "tensor/quantize.h"
#include "test.h"

using namespace e4j;
using namespace e4j::cpu;
using e4j::test::Random;

namespace {

constexpr DType kFloatTypes[] = {DType::F32, DType::F16, DType::BF16};
constexpr DType kQuantTypes[] = {DType::Q8_0, DType::Q4_K, DType::Q5_K, DType::Q6_K};

// A weight matrix as stored, as packed, and as the values it stands for.
struct Weights {
  std::vector<std::byte> stored;
  std::vector<float> values;  // [n][k]
  PackedMatrix packed;

  Weights(DType type, int n, int k, Random& random) {
    ThreadPool pool(2);
    const std::vector<float> source = random.normals(static_cast<size_t>(n * k));
    stored.resize(static_cast<size_t>(n) * row_bytes(type, k));
    values.resize(source.size());
    quantize_rows(type, source.data(), n, k, stored.data());
    dequantize_rows(type, stored.data(), n, k, values.data());
    packed = pack_matrix(type, n, k, stored.data(), pool);
  }
};

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

void run_float(const Kernels& kernels, DType type, const Weights& w, const std::vector<float>& a32, const std::vector<uint16_t>& a16,
               int m, int k, int first_row, float* c, int c_stride, bool accumulate) {
  GemmTile t{};
  t.m = m;
  t.k = k;
  t.panels = w.packed.panels;
  t.accumulate = accumulate;
  t.a_stride = static_cast<size_t>(k);
  t.w = w.packed.data.data();
  t.w_panel_stride = w.packed.panel_bytes / (type == DType::F32 ? 4 : 2);
  t.c = c;
  t.c_stride = static_cast<size_t>(c_stride);
  if (type == DType::BF16) {
    t.a = a16.data() + first_row * k;
    kernels.gemm_bf16(t);
  } else {
    t.a = a32.data() + first_row * k;
    type == DType::F32 ? kernels.gemm_f32(t) : kernels.gemm_f16(t);
  }
}

}  // namespace

TEST(tiers_are_distinct_and_all_reached) {
  const auto& tiers = available_tiers();
  CHECK(tiers.front() == "scalar");
  for (const auto& tier : tiers) CHECK(tier == kernels_for(tier).tier);
  for (size_t i = 1; i < tiers.size(); ++i) {
    const Kernels below = kernels_for(tiers[i - 1]), here = kernels_for(tiers[i]);
    CHECK(below.gemm_bf16 != here.gemm_bf16 || below.gemm_quant != here.gemm_quant);
  }
  CHECK_THROWS(kernels_for("avx9000"), E4J_INVALID_ARGUMENT, "this machine has: scalar");
}

TEST(float_products_match_on_every_tier) {
  Random random(1);
  for (DType type : kFloatTypes)
    for (const FloatCase s : {FloatCase{13, 80, 96}, FloatCase{6, 64, 512}, FloatCase{1, 16, 2}, FloatCase{7, 48, 130}}) {
      Weights w(type, s.n, s.k, random);
      std::vector<float> a32 = random.normals(static_cast<size_t>(s.m * s.k));
      std::vector<uint16_t> a16(a32.size());
      for (size_t i = 0; i < a32.size(); ++i) a16[i] = f32_to_bf16(a32[i]);
      std::vector<float> start = random.normals(static_cast<size_t>(s.m * s.n));
      std::vector<double> exact(static_cast<size_t>(s.m * s.n));
      for (int i = 0; i < s.m; ++i)
        for (int j = 0; j < s.n; ++j) {
          double sum = start[static_cast<size_t>(i * s.n + j)];
          for (int k = 0; k < s.k; ++k) {
            const size_t at = static_cast<size_t>(i * s.k + k);
            sum += (type == DType::BF16 ? bf16_to_f32(a16[at]) : a32[at]) * static_cast<double>(w.values[static_cast<size_t>(j * s.k + k)]);
          }
          exact[static_cast<size_t>(i * s.n + j)] = sum;
        }
      double reference_error = 0;
      for (const auto& tier : available_tiers()) {
        const Kernels kernels = kernels_for(tier);
        std::vector<float> c = start;
        run_float(kernels, type, w, a32, a16, s.m, s.k, 0, c.data(), s.n, true);
        const double error = worst_error(c, s.m, s.n, s.n, exact);
        if (tier == "scalar") reference_error = error;
        if (error > 2 * reference_error + 1e-6)
          test::failed(__FILE__, __LINE__, tier + " " + dtype_name(type) + ": error " + std::to_string(error) + " against " + std::to_string(reference_error));
        // A row's result does not depend on the rows beside it.
        for (int i = 0; i < s.m; ++i) {
          std::vector<float> alone(start.begin() + i * s.n, start.begin() + (i + 1) * s.n);
          run_float(kernels, type, w, a32, a16, 1, s.k, i, alone.data(), s.n, true);
          CHECK(std::memcmp(alone.data(), c.data() + i * s.n, static_cast<size_t>(s.n) * 4) == 0);
        }
      }
    }
}

TEST(quantised_products_match_on_every_tier) {
  Random random(2);
  for (DType type : kQuantTypes)
    for (int m : {1, 2, 3, 5, 7}) {
      const int n = 64, k = 256, blocks = k / 32;
      Weights w(type, n, k, random);
      const std::vector<float> x = random.normals(static_cast<size_t>(m * k));
      for (const auto& tier : available_tiers()) {
        const Kernels kernels = kernels_for(tier);
        std::vector<uint8_t> q(static_cast<size_t>(m * k));
        std::vector<float> scale(static_cast<size_t>(m * blocks)), sum(scale.size());
        for (int i = 0; i < m; ++i) kernels.quantize_row(&x[static_cast<size_t>(i * k)], k, &q[static_cast<size_t>(i * k)], &scale[static_cast<size_t>(i * blocks)], &sum[static_cast<size_t>(i * blocks)]);
        std::vector<ExpandedPanel> panels(4);
        QuantTile t{};
        for (int p = 0; p < 4; ++p) {
          const ExpandPanel expand = type == DType::Q8_0 ? kernels.expand_q8_0 : type == DType::Q4_K ? kernels.expand_q4_k
                                     : type == DType::Q5_K ? kernels.expand_q5_k : kernels.expand_q6_k;
          expand(w.packed.panel(p), blocks, &panels[static_cast<size_t>(p)]);
          t.q[p] = type == DType::Q8_0 ? reinterpret_cast<const int8_t*>(w.packed.panel(p) + 256) : &panels[static_cast<size_t>(p)].q[0][0][0];
        }
        t.m = m;
        t.panels = 4;
        t.group = type == DType::Q6_K ? 16 : 32;
        t.groups = k / t.group;
        t.minimums = type == DType::Q4_K || type == DType::Q5_K;
        t.a = q.data();
        t.a_stride = static_cast<size_t>(k);
        t.a_scale = scale.data();
        t.a_sum = sum.data();
        t.a_scale_stride = static_cast<size_t>(blocks);
        t.w = panels.data();
        t.q_group_stride = static_cast<size_t>(t.group * kPanelRows);
        std::vector<float> c(static_cast<size_t>(m * n));
        t.c = c.data();
        t.c_stride = static_cast<size_t>(n);
        kernels.gemm_quant(t);
        for (int i = 0; i < m; ++i)
          for (int j = 0; j < n; ++j) {
            double exact = 0, magnitude = 0;
            for (int v = 0; v < k; ++v) {
              const size_t at = static_cast<size_t>(i * k + v);
              const double product = (static_cast<double>(q[at]) - 128) * scale[static_cast<size_t>(i * blocks + v / 32)] * w.values[static_cast<size_t>(j * k + v)];
              exact += product;
              magnitude += std::fabs(product);
            }
            if (std::fabs(c[static_cast<size_t>(i * n + j)] - exact) > 3e-6 * magnitude)
              test::failed(__FILE__, __LINE__, tier + " " + dtype_name(type) + " m " + std::to_string(m) + ": " + std::to_string(c[static_cast<size_t>(i * n + j)]) + " against " + std::to_string(exact));
          }
        // Bit for bit the same, row by row.
        const std::vector<float> together = c;
        for (int i = 0; i < m; ++i) {
          std::vector<float> alone(static_cast<size_t>(n));
          t.m = 1;
          t.a = q.data() + i * k;
          t.a_scale = scale.data() + i * blocks;
          t.a_sum = sum.data() + i * blocks;
          t.c = alone.data();
          kernels.gemm_quant(t);
          CHECK(std::memcmp(alone.data(), together.data() + i * n, static_cast<size_t>(n) * 4) == 0);
        }
      }
    }
}

TEST(eight_bit_products_do_not_saturate) {
  // The extremes: weights of -128 and 127 against activations of -127 and 127.
  for (int weight : {-128, 127})
    for (float activation : {-1.0f, 1.0f})
      for (const auto& tier : available_tiers()) {
        const Kernels kernels = kernels_for(tier);
        std::vector<float> x(32, activation);
        uint8_t q[32];
        float scale, sum;
        kernels.quantize_row(x.data(), 32, q, &scale, &sum);
        ExpandedPanel panel{};
        std::memset(panel.q, weight, sizeof panel.q);
        for (int r = 0; r < kPanelRows; ++r) {
          panel.scale[0][r] = 1;
          panel.offset[0][r] = -128 * 32 * weight;
        }
        float c[kPanelRows];
        QuantTile t{};
        t.m = t.panels = t.groups = 1;
        t.group = 32;
        t.a = q;
        t.a_stride = 32;
        t.a_scale = &scale;
        t.a_sum = &sum;
        t.a_scale_stride = 1;
        t.w = &panel;
        t.q[0] = &panel.q[0][0][0];
        t.q_group_stride = 512;
        t.c = c;
        t.c_stride = kPanelRows;
        kernels.gemm_quant(t);
        for (float value : c) CHECK(std::fabs(value - 32.0f * static_cast<float>(weight) * activation) < 1e-2f);
      }
}

TEST(elementwise_kernels_match_on_every_tier) {
  Random random(3);
  for (const auto& tier : available_tiers()) {
    const Kernels k = kernels_for(tier);
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
      uint8_t q[64];
      float scales[2], sums[2];
      k.quantize_row(row.data(), 64, q, scales, sums);
      CHECK(std::isfinite(scales[0]) && std::isnan(scales[1]));
    }
    // bf16 keeps NaN and infinities.
    const float special[] = {NAN, INFINITY, -INFINITY, -0.0f};
    uint16_t b[4];
    k.to_bf16(special, 4, b);
    CHECK(std::isnan(bf16_to_f32(b[0])) && bf16_to_f32(b[1]) == INFINITY && bf16_to_f32(b[2]) == -INFINITY && b[3] == 0x8000);
  }
}

TEST(rotation_and_row_sums) {
  for (const auto& tier : available_tiers()) {
    const Kernels k = kernels_for(tier);
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
  }
}
