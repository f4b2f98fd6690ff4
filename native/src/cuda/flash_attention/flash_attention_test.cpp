// The attention kernels, run lane by lane on the CPU (thread_block/emulation.h), and the arithmetic around them.
#include "cuda/flash_attention/flash_attention.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "cuda/flash_attention/kernel.h"
#include "cuda/flash_attention/wgmma_kernel.h"
#include "guarded.h"
#include "random.h"
#include "test.h"

using namespace e4j;
using namespace e4j::cuda;
using e4j::test::Guarded;
using e4j::test::Random;

namespace {

struct Problem {
  int heads, kv_heads, head_dim;
  bool causal;
  std::vector<int32_t> cu_seqlens;
  std::vector<uint16_t> q, k, v;  // bf16, in rows of exactly their columns
  int tokens() const { return cu_seqlens.back(); }
  int q_cols() const { return heads * head_dim; }
  int kv_cols() const { return kv_heads * head_dim; }
};

std::vector<uint16_t> bf16_normals(Random& random, int n, float scale) {
  std::vector<uint16_t> v;
  for (const float x : random.normals(static_cast<size_t>(n), scale)) v.push_back(f32_to_bf16(x));
  return v;
}

Problem problem(int heads, int kv_heads, int head_dim, bool causal, std::vector<int32_t> cu_seqlens, uint64_t seed) {
  Random random(seed);
  Problem p{heads, kv_heads, head_dim, causal, std::move(cu_seqlens), {}, {}, {}};
  p.q = bf16_normals(random, p.tokens() * p.q_cols(), 2);
  p.k = bf16_normals(random, p.tokens() * p.kv_cols(), 2);
  p.v = bf16_normals(random, p.tokens() * p.kv_cols(), 1);
  return p;
}

float scale_of(const Problem& p) { return 1.0f / std::sqrt(static_cast<float>(p.head_dim)); }

// Softmax attention by its definition, in double; with `rounded`, the probabilities before their division are rounded to bf16 as
// the kernel must, which tells how much that costs.
std::vector<double> plain(const Problem& p, bool rounded) {
  const int d = p.head_dim, group = p.heads / p.kv_heads;
  std::vector<double> out(p.q.size());
  const auto at = [](const std::vector<uint16_t>& v, int i) { return static_cast<double>(bf16_to_f32(v[static_cast<size_t>(i)])); };
  for (size_t s = 0; s + 1 < p.cu_seqlens.size(); ++s)
    for (int t = p.cu_seqlens[s]; t < p.cu_seqlens[s + 1]; ++t)
      for (int h = 0; h < p.heads; ++h) {
        const int end = p.causal ? t + 1 : p.cu_seqlens[s + 1];
        std::vector<double> weight;
        double max = -INFINITY, sum = 0;
        for (int u = p.cu_seqlens[s]; u < end; ++u) {
          double dot = 0;
          for (int i = 0; i < d; ++i) dot += at(p.q, t * p.q_cols() + h * d + i) * at(p.k, u * p.kv_cols() + h / group * d + i);
          weight.push_back(dot * scale_of(p));
          max = std::max(max, weight.back());
        }
        for (double& w : weight) {
          sum += w = std::exp(w - max);
          if (rounded) w = bf16_to_f32(f32_to_bf16(static_cast<float>(w)));
        }
        for (int i = 0; i < d; ++i) {
          double o = 0;
          for (int u = p.cu_seqlens[s]; u < end; ++u) o += weight[static_cast<size_t>(u - p.cu_seqlens[s])] * at(p.v, u * p.kv_cols() + h / group * d + i);
          out[static_cast<size_t>(t * p.q_cols() + h * d + i)] = o / sum;
        }
      }
  return out;
}

template <class TileLoop, class EmulatedBlock = Block>
uint64_t run_tiles(const FlashAttention& call) {
  const AttentionArguments arguments = attention_arguments(call);
  EmulatedBlock block(TileLoop::Traits::kThreads, TileLoop::Traits::kSharedBytes);
  for (unsigned tile = 0; tile < static_cast<unsigned>(call.tile_count); ++tile) block.run(tile, [&] { attention_tile<TileLoop>(arguments); });
  return block.matrix_products();
}

// The operands end before a page that may not be touched. Also gives the number of mma or wgmma instructions.
std::vector<float> run(const Problem& p, bool bf16_over_q, AttentionKernel* kernel = nullptr, uint64_t* products = nullptr, bool wgmma = false) {
  AttentionPlan plan = plan_attention(p.cu_seqlens, p.heads, p.kv_heads, p.head_dim, p.causal);
  if (wgmma) plan.kernel = AttentionKernel::kCausal128Wgmma;
  plan.tiles.push_back({0, 0, 0, 0});  // padding
  const Guarded<uint16_t> q(p.q), k(p.k), v(p.v);
  const Guarded<float> out(std::vector<float>(p.q.size(), NAN));
  const FlashAttention call{plan.kernel, plan.tiles.data(), static_cast<int>(plan.tiles.size()), p.heads, p.kv_heads, scale_of(p),
                            q.data(), k.data(), v.data(), p.q_cols(), p.kv_cols(), p.kv_cols(),
                            bf16_over_q ? q.data() : nullptr, bf16_over_q ? nullptr : out.data(), p.q_cols()};
  const uint64_t done = wgmma                                        ? run_tiles<WgmmaTileLoop<WgmmaCausal128>, WarpgroupBlock>(call)
                        : plan.kernel == AttentionKernel::kCausal128 ? run_tiles<AttentionTileLoop<Causal128>>(call)
                        : plan.kernel == AttentionKernel::kFull80    ? run_tiles<AttentionTileLoop<Full80>>(call)
                                                                     : run_tiles<AttentionTileLoop<Window80>>(call);
  if (kernel != nullptr) *kernel = plan.kernel;
  if (products != nullptr) *products = done;
  std::vector<float> result(p.q.size());
  for (size_t i = 0; i < result.size(); ++i) result[i] = bf16_over_q ? bf16_to_f32(q.data()[i]) : out.data()[i];
  return result;
}

double worst(const std::vector<float>& a, const std::vector<double>& b) {
  double most = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    const double error = std::fabs(a[i] - b[i]);
    most = error <= most ? most : error;  // NaN counts
  }
  return most;
}

}  // namespace

TEST(the_emulated_kernels_match_the_definition_of_attention) {
  const std::tuple<Problem, AttentionKernel> problems[] = {
      {problem(16, 2, 128, true, {0, 1, 18, 18, 150, 233}, 1), AttentionKernel::kCausal128},
      {problem(6, 2, 128, true, {0, 40, 170}, 2), AttentionKernel::kCausal128},  // a group that does not divide a tile
      {problem(2, 1, 128, true, {0, 129, 200}, 3), AttentionKernel::kCausal128},
      {problem(1, 1, 128, true, {0, 200}, 4), AttentionKernel::kCausal128},      // a tile over two masked blocks
      {problem(1, 1, 128, true, {0, 850}, 8), AttentionKernel::kCausal128},      // seven blocks: twice around the wgmma kernel's ring
      {problem(2, 2, 80, false, {0, 64, 84, 88, 152, 153}, 5), AttentionKernel::kWindow80},
      {problem(2, 2, 80, false, {0, 64, 193, 260, 388}, 6), AttentionKernel::kFull80},
      {problem(4, 2, 80, false, {0, 64, 70}, 7), AttentionKernel::kFull80},      // heads that share keys
  };
  for (const auto& [p, expected_kernel] : problems) {
    const std::vector<double> exact = plain(p, false), rounded = plain(p, true);
    double rounding = 0;
    for (size_t i = 0; i < exact.size(); ++i) rounding = std::max(rounding, std::fabs(exact[i] - rounded[i]));
    for (const bool wgmma : {false, true}) {
      if (wgmma && expected_kernel != AttentionKernel::kCausal128) continue;
      AttentionKernel kernel;
      const std::vector<float> out = run(p, false, &kernel, nullptr, wgmma);
      CHECK(kernel == (wgmma ? AttentionKernel::kCausal128Wgmma : expected_kernel));
      if (const double e = worst(out, exact); !(e < 2 * rounding + 1e-5))
        test::failed(__FILE__, __LINE__, "error " + std::to_string(e) + " against " + std::to_string(rounding));
      // The same numbers, rounded, where the result replaces the queries.
      const std::vector<float> over_q = run(p, true, nullptr, nullptr, wgmma);
      for (size_t i = 0; i < out.size(); ++i)
        if (over_q[i] != bf16_to_f32(f32_to_bf16(out[i]))) {
          test::failed(__FILE__, __LINE__, "element " + std::to_string(i) + " over q");
          break;
        }
    }
  }
}

TEST(tiles_cover_every_row_once_longest_first) {
  Random random(11);
  for (int round = 0; round < 300; ++round) {
    const bool causal = round % 2 == 0;
    const int kv_heads = 1 + random.below(3), group = causal ? 1 + random.below(16) : 1;
    std::vector<int32_t> cu_seqlens{0};
    for (int s = random.below(12); s > 0; --s) cu_seqlens.push_back(cu_seqlens.back() + random.below(round % 3 == 0 ? 65 : 700));
    const AttentionPlan plan = plan_attention(cu_seqlens, kv_heads * group, kv_heads, causal ? 128 : 80, causal);
    const int block_m = plan.kernel == AttentionKernel::kWindow80 ? Window80::kBlockM : Causal128::kBlockM;
    CHECK(!causal || plan.kernel == AttentionKernel::kCausal128);
    std::set<std::tuple<int, int, int>> seen;  // (row, kv head, head within it)
    int last = 1 << 30;
    for (const AttentionTile& tile : plan.tiles) {
      const auto sequence = std::find(cu_seqlens.begin(), cu_seqlens.end(), tile.first_row);
      CHECK(sequence != cu_seqlens.end() && tile.length > 0);
      int rows = 0, last_token = 0;
      for (int r = tile.m_block * block_m; r < std::min((tile.m_block + 1) * block_m, tile.length * group); ++r, ++rows) {
        CHECK(seen.emplace(tile.first_row + r / group, tile.kv_head, r % group).second);
        last_token = r / group;
      }
      CHECK(rows > 0);
      const int keys = causal ? last_token + 1 : tile.length, blocks = (keys + 63) / 64;
      CHECK(blocks <= last);
      last = blocks;
    }
    CHECK_EQ(seen.size(), static_cast<size_t>(cu_seqlens.back() * kv_heads * group));
  }
}

TEST(blocks_and_masks_are_those_of_the_definition) {
  Random random(12);
  for (int round = 0; round < 2000; ++round) {
    const int group = 1 + random.below(kMaxGroup), length = 1 + random.below(900);
    const int blocks_m = (length * group + Causal128::kBlockM - 1) / Causal128::kBlockM, m_block = random.below(blocks_m);
    const int begin = m_block * Causal128::kBlockM, end = std::min(begin + Causal128::kBlockM, length * group);
    int needed = 0;
    std::set<int> masked;
    for (int r = begin; r < end; ++r) {
      needed = std::max(needed, r / group / 64 + 1);
      for (int key = 0; key < length; ++key)
        if (visible<Causal128>(key, r, group, length) != (key <= r / group)) test::failed(__FILE__, __LINE__, "visible");
    }
    CHECK_EQ(key_blocks<Causal128>(length, group, m_block), needed);
    for (int block = 0; block < needed; ++block) {
      bool hidden = false;
      for (int key = block * 64; key < block * 64 + 64; ++key) hidden |= key > begin / group;
      CHECK_EQ(needs_mask<Causal128>(block, length, group, m_block), hidden);
    }
    const int last = key_blocks<WgmmaCausal128>(length, group, m_block) - 1;
    CHECK(last * 128 <= (end - 1) / group && (end - 1) / group < last * 128 + 128);
    for (int block = 0; block < last; ++block) CHECK(!needs_mask<WgmmaCausal128>(block, length, group, m_block));
    CHECK_EQ(key_blocks<Full80>(length, 1, 0), (length + 63) / 64);
    for (int block = 0; block < (length + 63) / 64; ++block) CHECK_EQ(needs_mask<Full80>(block, length, 1, 0), (block + 1) * 64 > length);
    CHECK(visible<Full80>(length - 1, 0, 1, length) && !visible<Full80>(length, 0, 1, length));
  }
}

template <int kHeadDim>
static void check_swizzle() {
  constexpr int chunks = kHeadDim / 8, rows = 128;
  std::set<uint32_t> places;
  for (int row = 0; row < rows; ++row)
    for (int chunk = 0; chunk < chunks; ++chunk) {
      const uint32_t at = swizzled<kHeadDim>(row, chunk);
      CHECK(at % 16 == 0 && at < rows * kHeadDim * 2 && places.insert(at).second);
      CHECK_EQ(later_chunk<kHeadDim>(swizzled<kHeadDim>(row, chunk % 2), chunk / 2 * 2), at);
      if (row % 8 != 0) continue;  // the eight rows of a matrix: all 32 banks once
      std::set<uint32_t> groups;
      for (int r = row; r < row + 8; ++r) groups.insert(swizzled<kHeadDim>(r, chunk) / 16 % 8);
      CHECK_EQ(groups.size(), size_t{8});
    }
}

TEST(swizzles_are_one_to_one_and_free_of_bank_conflicts) {
  check_swizzle<128>();
  check_swizzle<80>();
}

TEST(work_that_is_not_needed_is_not_done) {
  // 16 tokens of 8 query heads fill a tile, whose keys are one block: 4 warps x 2 x (8 steps x 8 tiles + 4 steps x 16 tiles).
  uint64_t products = 0;
  run(problem(8, 1, 128, true, {0, 16}, 21), false, nullptr, &products);
  CHECK_EQ(products, uint64_t{4 * 2 * (8 * 8 + 4 * 16)});
  // A causal sequence of 256 tokens visits 1 + 2 + 3 + 4 of its 4 x 4 blocks of 64 tokens, each four tiles.
  run(problem(8, 1, 128, true, {0, 256}, 22), false, nullptr, &products);
  CHECK_EQ(products, uint64_t{4 * (1 + 2 + 3 + 4) * 4 * 2 * (8 * 8 + 4 * 16)});
  // A window: one tile, 4 warps x (5 steps x 8 tiles + 4 steps x 10 tiles).
  run(problem(1, 1, 80, false, {0, 64}, 23), false, nullptr, &products);
  CHECK_EQ(products, uint64_t{4 * (5 * 8 + 4 * 10)});
}

TEST(the_wgmma_kernel_does_no_work_that_is_not_needed) {
  // Two warpgroups x (8 steps of the head + 8 of 128 keys) a block; causal sequences of 256 tokens visit 1 + 2 of their 2 x 2 blocks
  // of 128 tokens, each eight tiles.
  uint64_t products = 0;
  run(problem(8, 1, 128, true, {0, 16}, 21), false, nullptr, &products, true);
  CHECK_EQ(products, uint64_t{2 * 16});
  run(problem(8, 1, 128, true, {0, 256}, 22), false, nullptr, &products, true);
  CHECK_EQ(products, uint64_t{8 * (1 + 2) * 2 * 16});
}

TEST(a_sequence_does_not_depend_on_its_batch) {
  const Problem together = problem(16, 2, 128, true, {0, 70, 77, 200}, 31);
  for (const bool wgmma : {false, true}) {
    const std::vector<float> expected = run(together, false, nullptr, nullptr, wgmma);
    for (size_t s = 0; s + 1 < together.cu_seqlens.size(); ++s) {
      const int begin = together.cu_seqlens[s], end = together.cu_seqlens[s + 1];
      const auto part = [&](const auto& v, int cols) { return std::vector(v.begin() + begin * cols, v.begin() + end * cols); };
      const Problem alone{16, 2, 128, true, {0, end - begin}, part(together.q, together.q_cols()), part(together.k, together.kv_cols()), part(together.v, together.kv_cols())};
      CHECK(run(alone, false, nullptr, nullptr, wgmma) == part(expected, together.q_cols()));
    }
  }
}

TEST(values_that_are_not_finite_stay_in_their_sequence) {
  Problem p = problem(2, 1, 128, true, {0, 40, 80}, 41);
  p.k[static_cast<size_t>(50 * p.kv_cols() + 3)] = 0x7fc0;  // a NaN in key 50
  for (const bool wgmma : {false, true}) {
    const std::vector<float> out = run(p, false, nullptr, nullptr, wgmma);
    for (int t = 0; t < 80; ++t) CHECK_EQ(std::isnan(out[static_cast<size_t>(t * p.q_cols())]), t >= 50);
  }
}

TEST(what_no_kernel_has_is_refused) {
  CHECK_THROWS(plan_attention(std::vector<int32_t>{0, 4}, 2, 1, 64, true), E4J_UNSUPPORTED, "causal attention with head size 64");
  CHECK_THROWS(plan_attention(std::vector<int32_t>{0, 4}, 2, 1, 128, false), E4J_UNSUPPORTED, "full attention with head size 128");
  CHECK_THROWS(plan_attention(std::vector<int32_t>{0, 4}, 65, 1, 128, true), E4J_UNSUPPORTED, "65 query heads");
  CHECK_THROWS(plan_attention(std::vector<int32_t>{0, kMaxTokens + 1}, 1, 1, 128, true), E4J_UNSUPPORTED, "a sequence of 16777217 tokens");
  CHECK(plan_attention(std::vector<int32_t>{0}, 2, 1, 128, true).tiles.empty());
  CHECK(plan_attention(std::vector<int32_t>{0, 0, 0}, 2, 1, 128, true).tiles.empty());
}
