// The emulated thread block finds what it says it finds, and its primitives mean what PTX says.
#include "block_error.h"
#include "cuda/thread_block/primitives.h"
#include "test.h"

using namespace e4j;
using namespace e4j::cuda;
using e4j::test::contains, e4j::test::own_word;

namespace {

std::string error_of(const std::function<void()>& kernel, int threads = 64) { return test::error_of(Block(threads, 4096), kernel); }
uint32_t next_word(int threads) { return static_cast<uint32_t>((thread() + 1) % threads) * 4; }

}  // namespace

TEST(words_pass_between_threads_only_over_a_barrier) {
  uint32_t got[64] = {};
  CHECK(error_of([&] {
    store_shared_4(own_word(), static_cast<uint32_t>(thread()));
    sync_threads();
    got[thread()] = load_shared_4(next_word(64));
  }).empty());
  for (uint32_t t = 0; t < 64; ++t) CHECK_EQ(got[t], (t + 1) % 64);

  CHECK(contains(error_of([] {
    store_shared_4(own_word(), 1);
    load_shared_4(next_word(64));
  }), "no barrier since"));
  CHECK(contains(error_of([] {  // a warp's barrier does not order it with another warp
    store_shared_4(own_word(), 1);
    sync_warp();
    load_shared_4(static_cast<uint32_t>((thread() + 32) % 64) * 4);
  }), "no barrier since"));
  CHECK(error_of([] {
    store_shared_4(own_word(), 1);
    sync_warp();
    load_shared_4(static_cast<uint32_t>(thread() ^ 1) * 4);
  }).empty());
  CHECK(contains(error_of([] {
    store_shared_4(own_word(), 1);
    sync_threads();
    load_shared_4(next_word(64));
    store_shared_4(own_word(), 2);
  }), "may still read"));
  CHECK(contains(error_of([] { load_shared_4(own_word()); }), "never written"));
  CHECK(contains(error_of([] { store_shared_4(own_word() + 4096, 1); }), "beyond"));
  CHECK(contains(error_of([] { store_shared_4(own_word() + 2, 1); }), "not a multiple"));
}

TEST(copies_arrive_when_they_are_waited_for) {
  alignas(16) static const uint32_t source[4] = {1, 2, 3, 4};
  CHECK(contains(error_of([] {
    copy_async_16(static_cast<uint32_t>(thread()) * 16, source, true);
    commit_copies();
    load_shared_16(static_cast<uint32_t>(thread()) * 16);
  }), "waited for"));
  CHECK(contains(error_of([] {  // the latest group is still under way
    for (uint32_t i = 0; i < 2; ++i) {
      copy_async_16(static_cast<uint32_t>(thread()) * 16 + 1024 * i, source, true);
      commit_copies();
    }
    wait_copies<1>();
    load_shared_16(static_cast<uint32_t>(thread()) * 16);
    load_shared_16(static_cast<uint32_t>(thread()) * 16 + 1024);
  }), "waited for"));
  Words4 got[64], zeros[64];
  CHECK(error_of([&] {
    const uint32_t at = static_cast<uint32_t>(thread()) * 16;
    copy_async_16(at, source, true);
    copy_async_16(at + 1024, source, false);
    commit_copies();
    wait_copies<0>();
    got[thread()] = load_shared_16(at);
    zeros[thread()] = load_shared_16(at + 1024);
  }).empty());
  CHECK(got[63].w[3] == 4 && zeros[63].w[0] == 0);
  CHECK(contains(error_of([] {
    copy_async_4(own_word(), source, true);
    commit_copies();
    store_shared_4(own_word(), 1);
  }), "under way"));
}

TEST(bank_conflicts_divergence_and_deadlock_are_found) {
  CHECK(contains(error_of([] { store_shared_4(static_cast<uint32_t>(lane()) * 128 % 4096, 1); }, 32), "bank conflict"));
  CHECK(contains(error_of([] { lane() == 3 ? sync_warp() : (void)shuffle_xor(1, 1); }), "different primitives"));
  CHECK(contains(error_of([] {
    if (warp() == 0) sync_threads();
  }), "wait for others"));
  CHECK(contains(error_of([] {
    if (lane() != 5) sync_warp();
  }), "wait for others"));
}

TEST(matrices_are_multiplied_as_ptx_lays_them_out) {
  // a[16][16], b as [n][k] and b as [k][n] through shared memory.
  float a[16][16], b[16][8], d[32][4], transposed[32][4];
  for (int r = 0; r < 16; ++r)
    for (int c = 0; c < 16; ++c) a[r][c] = static_cast<float>((r * 7 + c * 3) % 11 - 5);
  for (int r = 0; r < 16; ++r)
    for (int c = 0; c < 8; ++c) b[r][c] = static_cast<float>((r * 5 + c) % 7 - 3);
  const auto kernel = [&] {
    // Rows of 32 bytes, whose halves change places in every second four rows.
    const auto place = [](int row, int half) { return static_cast<uint32_t>(row * 32 + (half ^ (row >> 2 & 1)) * 16); };
    const auto put = [](uint32_t at, float low, float high) { store_shared_4(at, pack_bf16(low, high)); };
    for (int i = 0; i < 4; ++i) {
      const int word = thread() + 32 * i, row = word / 8, col = word % 8 * 2;
      const uint32_t at = place(row, word % 8 / 4) + static_cast<uint32_t>(word % 4 * 4);
      put(at, a[row][col], a[row][col + 1]);
      if (row < 8) put(1024 + at, b[col][row], b[col + 1][row]);                                    // [n][k]
    }
    for (int i = 0; i < 2; ++i) {
      const int word = thread() + 32 * i, row = word / 4, col = word % 4 * 2;
      put(2048 + static_cast<uint32_t>(row * 16 + col * 2), b[row][col], b[row][col + 1]);          // [k][n]
    }
    sync_warp();
    const int matrix = lane() / 8, row = lane() % 8;
    uint32_t fa[4], fb[4], ft[4];
    load_matrix_x4(fa, place(matrix % 2 * 8 + row, matrix / 2));
    load_matrix_x4(fb, 1024 + place(row, matrix % 2));
    load_matrix_x4_transposed(ft, static_cast<uint32_t>(2048 + (matrix % 2 * 8 + row) * 16));
    float sums[4] = {1, 1, 1, 1}, again[4] = {};
    mma(sums, fa, fb[0], fb[1]);
    mma(again, fa, ft[0], ft[1]);
    for (int i = 0; i < 4; ++i) d[lane()][i] = sums[i], transposed[lane()][i] = again[i];
  };
  CHECK(error_of(kernel, 32).empty());
  for (int l = 0; l < 32; ++l)
    for (int i = 0; i < 4; ++i) {
      const int row = l / 4 + i / 2 * 8, col = l % 4 * 2 + i % 2;
      float sum = 0;
      for (int k = 0; k < 16; ++k) sum += a[row][k] * b[k][col];
      CHECK_EQ(d[l][i], sum + 1);
      CHECK_EQ(transposed[l][i], sum);
    }
}
