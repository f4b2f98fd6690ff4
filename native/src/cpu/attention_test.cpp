#include "cpu/attention.h"

#include <algorithm>

#include "cpu/dispatch.h"
#include "random.h"
#include "tensor/convert.h"
#include "test.h"

using namespace e4j;
using namespace e4j::cpu;
using e4j::test::Random;

namespace {

struct Problem {
  AttentionShape shape;
  std::vector<int32_t> cu_seqlens;
  std::vector<float> q, k, v;
  int tokens() const { return cu_seqlens.back(); }
  int q_cols() const { return shape.num_heads * shape.head_dim; }
  int kv_cols() const { return shape.num_key_value_heads * shape.head_dim; }
};

Problem problem(int heads, int kv_heads, int d, bool causal, std::vector<int32_t> cu_seqlens, uint64_t seed) {
  Random random(seed);
  Problem p{{heads, kv_heads, d, causal, false, 1.0f / std::sqrt(static_cast<float>(d))}, std::move(cu_seqlens), {}, {}, {}};
  p.q = random.normals(static_cast<size_t>(p.tokens() * p.q_cols()), 2);
  p.k = random.normals(static_cast<size_t>(p.tokens() * p.kv_cols()), 2);
  p.v = random.normals(static_cast<size_t>(p.tokens() * p.kv_cols()));
  return p;
}

Rows rows(std::vector<float>& v, int count, int cols) { return {v.data(), count, cols, static_cast<size_t>(cols)}; }

std::vector<float> run(const Kernels& kernels, int threads, Problem p) {
  ThreadPool pool(threads);
  Attention attention;
  attention.run(kernels, pool, rows(p.q, p.tokens(), p.q_cols()), rows(p.k, p.tokens(), p.kv_cols()), rows(p.v, p.tokens(), p.kv_cols()),
                p.cu_seqlens, p.shape);
  return p.q;
}

// Softmax attention by its definition, in double.
std::vector<double> plain(const Problem& p) {
  const int d = p.shape.head_dim, group = p.shape.num_heads / p.shape.num_key_value_heads;
  std::vector<double> out(p.q.size());
  for (size_t s = 0; s + 1 < p.cu_seqlens.size(); ++s)
    for (int t = p.cu_seqlens[s]; t < p.cu_seqlens[s + 1]; ++t)
      for (int h = 0; h < p.shape.num_heads; ++h) {
        const int end = p.shape.causal ? t + 1 : p.cu_seqlens[s + 1];
        std::vector<double> weight;
        double max = -INFINITY, sum = 0;
        for (int u = p.cu_seqlens[s]; u < end; ++u) {
          double dot = 0;
          for (int i = 0; i < d; ++i)
            dot += static_cast<double>(p.q[static_cast<size_t>(t * p.q_cols() + h * d + i)]) * p.k[static_cast<size_t>(u * p.kv_cols() + h / group * d + i)];
          weight.push_back(dot * p.shape.softmax_scale);
          max = std::max(max, weight.back());
        }
        for (double& w : weight) sum += w = std::exp(w - max);
        for (int i = 0; i < d; ++i) {
          double o = 0;
          for (int u = p.cu_seqlens[s]; u < end; ++u)
            o += weight[static_cast<size_t>(u - p.cu_seqlens[s])] * p.v[static_cast<size_t>(u * p.kv_cols() + h / group * d + i)];
          out[static_cast<size_t>(t * p.q_cols() + h * d + i)] = o / sum;
        }
      }
  return out;
}

std::vector<std::pair<std::string, bool>> tiers_and_precisions() {
  std::vector<std::pair<std::string, bool>> all;
  for (const auto& tier : available_tiers())
    for (const bool bf16 : {false, true}) all.emplace_back(tier, bf16);
  return all;
}

}  // namespace

TEST(attention_matches_its_definition_on_every_tier) {
  const Problem problems[] = {
      problem(16, 2, 128, true, {0, 1, 18, 150, 433}, 1),
      problem(2, 1, 128, true, {0, 129, 385}, 2),
      problem(2, 2, 80, false, {0, 64, 84, 100, 164, 300}, 3),
      problem(4, 4, 80, false, {0, 4}, 4),
  };
  for (const Problem& p : problems) {
    const std::vector<double> exact = plain(p);
    const auto error = [&](const Problem& of, const std::string& tier) {
      const std::vector<float> out = run(kernels_for(tier), 2, of);
      double worst = 0;
      for (size_t i = 0; i < out.size(); ++i) worst = std::max(worst, std::fabs(out[i] - exact[i]));
      return worst;
    };
    // What bf16 costs is what rounding the inputs costs the plain computation; the same again for the probabilities.
    Problem rounded = p;
    for (auto* values : {&rounded.q, &rounded.k, &rounded.v})
      for (float& x : *values) x = bf16_to_f32(f32_to_bf16(x));
    const std::vector<double> plain_rounded = plain(rounded);
    double rounding = 0;
    for (size_t i = 0; i < exact.size(); ++i) rounding = std::max(rounding, std::fabs(plain_rounded[i] - exact[i]));
    Problem bf16 = p;
    bf16.shape.bf16 = true;
    for (const auto& tier : available_tiers()) {
      if (const double e = error(p, tier); !(e < 2e-5)) test::failed(__FILE__, __LINE__, tier + ": error " + std::to_string(e));
      if (const double e = error(bf16, tier); !(e < 2 * rounding))
        test::failed(__FILE__, __LINE__, tier + " bf16: error " + std::to_string(e) + " against " + std::to_string(rounding));
    }
  }
}

TEST(a_sequence_does_not_depend_on_its_batch_or_on_threads) {
  Problem p = problem(16, 2, 128, true, {0, 70, 77, 300}, 5);
  for (const auto& [tier, bf16] : tiers_and_precisions()) {
    p.shape.bf16 = bf16;
    const Kernels kernels = kernels_for(tier);
    const std::vector<float> together = run(kernels, 1, p);
    CHECK(together == run(kernels, 3, p));
    for (size_t s = 0; s + 1 < p.cu_seqlens.size(); ++s) {
      const auto part = [&](const std::vector<float>& v, int cols) {
        return std::vector<float>(v.begin() + p.cu_seqlens[s] * cols, v.begin() + p.cu_seqlens[s + 1] * cols);
      };
      const Problem alone{p.shape, {0, p.cu_seqlens[s + 1] - p.cu_seqlens[s]}, part(p.q, p.q_cols()), part(p.k, p.kv_cols()), part(p.v, p.kv_cols())};
      CHECK(run(kernels, 2, alone) == part(together, p.q_cols()));
    }
  }
}
