// The 8-bit kernels on every tier this machine can run or emulate, against sums in double or exact integers.
#include "cpu/kernels.h"

#include <algorithm>

#include "guarded.h"
#include "random.h"
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

constexpr DType kQuantTypes[] = {DType::Q8_0, DType::Q4_K, DType::Q5_K, DType::Q6_K};

struct QuantCase {
  int m, panels, blocks;
};

// 8-bit activations: q [m][k], scale, sum and offset [m][k / 32], half_offset [m][k / 16].
struct Activations {
  std::vector<int8_t> q;
  std::vector<float> scale, sum;
  std::vector<int32_t> offset, half_offset;

  Activations(const Kernels& kernels, const std::vector<float>& x, int m, int k)
      : q(static_cast<size_t>(m * k)), scale(q.size() / kQuantBlock), sum(scale), offset(scale.size()), half_offset(2 * scale.size()) {
    for (int i = 0; i < m; ++i) {
      const size_t at = static_cast<size_t>(i * k), block = at / kQuantBlock;
      kernels.quantize_row(&x[at], k, {&q[at], &scale[block], &sum[block], &offset[block], &half_offset[2 * block]});
    }
  }
};

// The tile of a whole matrix of one chunk of K, expanded into panels; its activations and results are still to be set.
QuantTile quant_tile(const Kernels& kernels, DType type, const Weights& w, int blocks, std::vector<ExpandedPanel>& panels) {
  const ExpandPanel expand = type == DType::Q8_0 ? kernels.expand_q8_0 : type == DType::Q4_K ? kernels.expand_q4_k
                             : type == DType::Q5_K ? kernels.expand_q5_k : kernels.expand_q6_k;
  QuantTile t{};
  t.panels = static_cast<int>(panels.size());
  t.group = type == DType::Q6_K ? 16 : 32;
  t.groups = blocks * kQuantBlock / t.group;
  t.minimums = type == DType::Q4_K || type == DType::Q5_K;
  t.w = panels.data();
  t.q_group_stride = static_cast<size_t>(t.group * kPanelRows);
  for (int p = 0; p < t.panels; ++p) {
    ExpandedPanel& panel = panels[static_cast<size_t>(p)];
    expand(w.packed.panel(p), blocks, &panel);
    t.q[p] = type == DType::Q8_0 ? reinterpret_cast<const uint8_t*>(w.packed.panel(p) + 256) : &panel.q[0][0][0];
  }
  return t;
}

}  // namespace

TEST(quantised_products_match_on_every_tier) {
  Random random(2);
  for (DType type : kQuantTypes)
    for (const QuantCase s : {QuantCase{1, 4, 8}, QuantCase{2, 1, 8}, QuantCase{3, 3, 8}, QuantCase{7, 4, 8}, QuantCase{21, 2, 8}, QuantCase{4, 2, 3}}) {
      // Only q8_0 ends in a partly filled chunk. The product of the second half of K continues that of the first.
      const int n = s.panels * kPanelRows, blocks = type == DType::Q8_0 ? s.blocks : 8, k = blocks * kQuantBlock;
      Weights w(type, n, k, random);
      const std::vector<float> x = random.normals(static_cast<size_t>(s.m * k));
      on_every_tier([&](const std::string& tier, const Kernels& kernels) {
        const Activations a(kernels, x, s.m, k);
        const Guarded<int8_t> q(a.q);
        const Guarded<float> a_scale(a.scale), a_sum(a.sum);
        std::vector<ExpandedPanel> panels(static_cast<size_t>(s.panels));
        QuantTile t = quant_tile(kernels, type, w, blocks, panels);
        const int groups = t.groups, half = blocks / 2, half_groups = half * kQuantBlock / t.group;
        const Guarded<int32_t> a_offset(t.group == 32 ? a.offset : a.half_offset);
        const auto run = [&](int row, int rows, float* c, int c_stride) {
          t.m = rows;
          t.c = c;
          t.c_stride = static_cast<size_t>(c_stride);
          for (const bool second : {false, true}) {
            QuantTile part = t;
            part.accumulate = second;
            part.groups = second ? groups - half_groups : half_groups;
            part.a = q.data() + row * k + (second ? half * kQuantBlock : 0);
            part.a_stride = static_cast<size_t>(k);
            part.a_scale = a_scale.data() + row * blocks + (second ? half : 0);
            part.a_sum = a_sum.data() + row * blocks + (second ? half : 0);
            part.a_scale_stride = static_cast<size_t>(blocks);
            part.a_offset = a_offset.data() + row * groups + (second ? half_groups : 0);
            part.a_offset_stride = static_cast<size_t>(groups);
            std::vector<ExpandedPanel> later = panels;
            for (int p = 0; second && p < s.panels; ++p) {
              ExpandedPanel& to = later[static_cast<size_t>(p)];
              std::memmove(to.scale, to.scale[half_groups], sizeof to.scale - sizeof to.scale[0] * static_cast<size_t>(half_groups));
              std::memmove(to.min, to.min[half], sizeof to.min - sizeof to.min[0] * static_cast<size_t>(half));
              part.q[p] += static_cast<size_t>(half_groups) * t.q_group_stride;
            }
            part.w = later.data();
            kernels.gemm_quant(part);
          }
        };
        const int c_stride = n + 16;
        std::vector<float> c(static_cast<size_t>(s.m * c_stride), NAN);
        run(0, s.m, c.data(), c_stride);
        for (int i = 0; i < s.m; ++i) {
          for (int j = 0; j < n; ++j) {
            double exact = 0, magnitude = 0;
            for (int v = 0; v < k; ++v) {
              const size_t at = static_cast<size_t>(i * k + v);
              const double product = static_cast<double>(a.q[at]) * a.scale[static_cast<size_t>(i * blocks + v / 32)] * w.values[static_cast<size_t>(j * k + v)];
              exact += product;
              magnitude += std::fabs(product);
            }
            if (const float got = c[static_cast<size_t>(i * c_stride + j)]; !(std::fabs(got - exact) <= 3e-6 * magnitude))
              test::failed(__FILE__, __LINE__, tier + " " + dtype_name(type) + " m " + std::to_string(s.m) + ": " + std::to_string(got) + " against " + std::to_string(exact));
          }
          for (int j = n; j < c_stride; ++j) CHECK(std::isnan(c[static_cast<size_t>(i * c_stride + j)]));
          // Bit for bit the same, row by row.
          std::vector<float> alone(static_cast<size_t>(n));
          run(i, 1, alone.data(), n);
          CHECK(std::memcmp(alone.data(), c.data() + i * c_stride, static_cast<size_t>(n) * 4) == 0);
        }
      });
    }
}

TEST(expanded_panels_are_the_same_on_every_tier) {
  Random random(5);
  for (DType type : kQuantTypes)
    for (const int blocks : {1, 5, 8}) {
      if (type != DType::Q8_0 && blocks != 8) continue;
      Weights w(type, kPanelRows, blocks * kQuantBlock, random);
      std::vector<ExpandedPanel> expected;
      on_every_tier([&](const std::string& tier, const Kernels& kernels) {
        std::vector<ExpandedPanel> panel(1);
        std::memset(panel.data(), 0, sizeof(ExpandedPanel));
        quant_tile(kernels, type, w, blocks, panel);
        if (tier == "scalar") expected = panel;
        if (std::memcmp(&panel[0], &expected[0], sizeof(ExpandedPanel)) != 0)
          test::failed(__FILE__, __LINE__, tier + " " + dtype_name(type) + ", " + std::to_string(blocks) + " blocks");
      });
    }
}

TEST(activation_rows_are_quantised_the_same_on_every_tier) {
  Random random(6);
  std::vector<float> x = random.normals(6 * kQuantBlock, 4);
  std::fill_n(&x[kQuantBlock], kQuantBlock, 0.0f);           // nothing to scale by
  std::fill_n(&x[2 * kQuantBlock], kQuantBlock, 1e-35f);     // too little
  x[3 * kQuantBlock] = 1e30f;                                // all else rounds to zero
  on_every_tier([&](const std::string&, const Kernels& kernels) {
    const Activations a(kernels, x, 1, static_cast<int>(x.size()));
    for (size_t b = 0; b < 6; ++b) {
      float largest = 0;
      int total = 0, first = 0;
      for (size_t i = b * kQuantBlock; i < (b + 1) * kQuantBlock; ++i) largest = std::max(largest, std::fabs(x[i]));
      const float inverse = largest > 1e-30f ? 127 / largest : 0;
      for (size_t i = b * kQuantBlock; i < (b + 1) * kQuantBlock; ++i) {
        const int value = static_cast<int>(std::nearbyint(x[i] * inverse));
        CHECK_EQ(static_cast<int>(a.q[i]), value);
        total += value;
        if (i % kQuantBlock == 15) first = total;
      }
      CHECK_EQ(a.scale[b], largest > 1e-30f ? largest / 127 : 0.0f);
      CHECK_EQ(a.sum[b], a.scale[b] * static_cast<float>(total));
      CHECK_EQ(a.offset[b], -128 * total);
      CHECK_EQ(a.half_offset[2 * b], -128 * first);
      CHECK_EQ(a.half_offset[2 * b + 1], -128 * (total - first));
    }
  });
}

TEST(eight_bit_products_do_not_saturate) {
  // The extremes: weights of -128 and 127 against activations of -127 and 127.
  for (int weight : {-128, 127})
    for (float activation : {-1.0f, 1.0f})
      on_every_tier([&](const std::string&, const Kernels& kernels) {
        std::vector<float> x(32, activation);
        int8_t q[32];
        float scale, sum;
        int32_t offset, half_offset[2];
        kernels.quantize_row(x.data(), 32, {q, &scale, &sum, &offset, half_offset});
        ExpandedPanel panel{};
        std::memset(panel.q, weight + 128, sizeof panel.q);
        for (int r = 0; r < kPanelRows; ++r) panel.scale[0][r] = 1;
        float c[kPanelRows];
        QuantTile t{};
        t.m = t.panels = t.groups = 1;
        t.group = 32;
        t.a = q;
        t.a_stride = 32;
        t.a_scale = &scale;
        t.a_sum = &sum;
        t.a_scale_stride = 1;
        t.a_offset = &offset;
        t.a_offset_stride = 1;
        t.w = &panel;
        t.q[0] = &panel.q[0][0][0];
        t.q_group_stride = 512;
        t.c = c;
        t.c_stride = kPanelRows;
        kernels.gemm_quant(t);
        for (float value : c) CHECK(std::fabs(value - 32.0f * static_cast<float>(weight) * activation) < 1e-2f);
      });
}

TEST(integer_dots_are_exact_on_every_tier) {
  Random random(7);
  for (const int k : {4, 20, 128, 260})
    for (const int panels : {1, 2, 5})
      for (const int m : {1, 3, 13, 48}) {
        const size_t depth = static_cast<size_t>(k), cols = static_cast<size_t>(panels * kPanelRows), panel_stride = depth * kPanelRows + 64;
        const size_t a_stride = depth + 12, c_stride = cols + 16;
        std::vector<uint8_t> a(static_cast<size_t>(m) * a_stride);
        for (uint8_t& v : a) v = static_cast<uint8_t>(random.below(4) == 0 ? random.below(2) * 255 : random.below(256));
        std::vector<int8_t> w(static_cast<size_t>(panels) * panel_stride);
        for (int8_t& v : w) v = static_cast<int8_t>(random.below(4) == 0 ? random.below(2) * 254 - 127 : random.below(255) - 127);
        const std::vector<float> scale = random.normals(static_cast<size_t>(m));
        const Guarded<uint8_t> guarded_a({a.begin(), a.end() - 12});
        const Guarded<int8_t> guarded_w({w.begin(), w.end() - 64});
        const auto weight = [&](size_t col, size_t v) {
          return static_cast<int>(w[col / kPanelRows * panel_stride + (v / 4 * kPanelRows + col % kPanelRows) * 4 + v % 4]);
        };
        std::vector<int32_t> offset(cols);
        for (size_t col = 0; col < cols; ++col)
          for (size_t v = 0; v < depth; ++v) offset[col] -= 128 * weight(col, v);
        on_every_tier([&](const std::string&, const Kernels& kernels) {
          std::vector<float> c(static_cast<size_t>(m) * c_stride, 7);
          kernels.dot_i8({m, k, panels, guarded_a.data(), a_stride, scale.data(), guarded_w.data(), panel_stride, offset.data(), c.data(), c_stride});
          for (size_t i = 0; i < static_cast<size_t>(m); ++i)
            for (size_t col = 0; col < c_stride; ++col) {
              int dot = 0;
              for (size_t v = 0; col < cols && v < depth; ++v) dot += (a[i * a_stride + v] - 128) * weight(col, v);
              CHECK_EQ(c[i * c_stride + col], col < cols ? static_cast<float>(dot) * scale[i] : 7.0f);
            }
        });
      }
}

// The last test of this file, since it looks back on the others.
TEST(every_kernel_was_reached_on_every_tier) {
  for (const Kernels& table : test::tier_tables())
    for (const test::KernelMember& m : test::kMembers)
      if (m.tested_in == test::TestedIn::QuantKernels && !m.reached(table.tier)) test::failed(__FILE__, __LINE__, std::string(table.tier) + " " + m.name + " was never called");
}
