// The emulated warpgroups find what they say they find, and their primitives mean what PTX says.
#include "block_error.h"
#include "cuda/thread_block/warpgroup.h"
#include "test.h"

using namespace e4j;
using namespace e4j::cuda;
using e4j::test::contains, e4j::test::own_word;

namespace {

constexpr uint32_t kShared = 64 << 10, kBarrier = kShared - 64;

std::string error_of(const std::function<void()>& kernel, int threads = kWarpgroupSize) {
  return test::error_of(WarpgroupBlock(threads, kShared), kernel);
}

// Operands a[64][16], b[128][16] as [n][k] and b as [k][n], in rows of 128 bytes with swizzled chunks; the first two at k 16 of 64.
float a_value(int row, int k) { return static_cast<float>((row * 7 + k * 3) % 11 - 5); }
float b_value(int k, int n) { return static_cast<float>((k * 5 + n) % 7 - 3); }
constexpr uint32_t kA = 0, kKeys = 8192, kValues = 8192 + 16384, kHalf = 2048;

uint32_t place(uint32_t at, int row, int col) {
  return at + static_cast<uint32_t>(row * 128 + (col / 8 % 8 ^ row % 8) * 16 + col % 8 * 2);
}
void put_operands() {
  for (int row = thread() / kWarpSize; row < kProductCols; row += 4) {
    const int k = lane() * 2 - 16;  // a row has 64 of k, of which these are 16 .. 31
    const auto pair = [&](auto&& value) { return k < 0 || k >= 16 ? pack_bf16(100, 100) : pack_bf16(value(k), value(k + 1)); };
    if (row < kProductRows) store_shared_4(place(kA, row, lane() * 2), pair([&](int i) { return a_value(row, i); }));
    store_shared_4(place(kKeys, row, lane() * 2), pair([&](int i) { return b_value(i, row); }));
  }
  for (int row = thread() / kWarpSize; row < 2 * kProductDepth; row += 4) {  // k 0 .. 15 of n 0 .. 63, then of n 64 .. 127
    const int k = row % 16, n = row / 16 * 64 + lane() * 2;
    store_shared_4(place(kValues, row, lane() * 2), pack_bf16(b_value(k, n), b_value(k, n + 1)));
  }
}
uint64_t a_descriptor() { return descriptor_later(matrix_descriptor(kA, 1024), 32); }
uint64_t keys_descriptor() { return descriptor_later(matrix_descriptor(kKeys, 1024), 32); }
uint64_t values_descriptor() { return matrix_descriptor(kValues, 1024, kHalf); }
void operands_ready() {
  put_operands();
  fence_async();
  sync_threads();
}
void fragment(uint32_t (&a)[4]) {
  for (int i = 0; i < 4; ++i) {
    const int row = fragment_row(thread(), i), k = fragment_col(thread(), i);
    a[i] = pack_bf16(a_value(row, k), a_value(row, k + 1));
  }
}

}  // namespace

TEST(descriptors_find_elements_as_ptx_lays_them_out) {
  for (const uint32_t swizzle : {0u, 1u, 2u, 3u}) {
    const Descriptor d(uint64_t{4096} >> 4 | uint64_t{32768} >> 4 << 16 | uint64_t{2048} >> 4 << 32 | uint64_t{swizzle} << 62);
    const uint32_t bytes = swizzle == 0 ? 16 : 256u >> swizzle, chunks = bytes / 16;
    const auto chunk_at = [&](uint32_t row, uint32_t chunk) {  // 8 / chunks rows share 128 bytes, and one permutation
      return row * bytes + (chunk ^ (swizzle == 0 ? 0 : row / (8 / chunks))) * 16;
    };
    for (uint32_t mn = 0; mn < 128; ++mn)
      for (uint32_t k = 0; k < 16; ++k) {
        const uint32_t deep = swizzle == 0 ? chunk_at(mn % 8, 0) + k / 8 * 32768 : chunk_at(mn % 8, k / 8);
        CHECK_EQ(d.along_k(mn, k), 4096 + mn / 8 * 2048 + deep + k % 8 * 2);
        const uint32_t chunk = mn / 8;
        const uint32_t wide = swizzle == 0 ? chunk_at(k % 8, 0) + chunk * 2048 + k / 8 * 32768
                                           : chunk_at(k % 8, chunk % chunks) + chunk / chunks * 32768 + k / 8 * 2048;
        CHECK_EQ(d.along_mn(mn, k), 4096 + wide + mn % 8 * 2);
      }
  }
  CHECK_EQ(Descriptor(matrix_descriptor(0x12340, 1024, 2048)).start, 0x12340u);
  CHECK_EQ(matrix_descriptor(0x12340, 1024, 2048), uint64_t{0x1234} | uint64_t{128} << 16 | uint64_t{64} << 32 | uint64_t{1} << 62);
}

TEST(products_are_those_of_their_operands) {
  static float once[kWarpgroupSize][16][4], more[kWarpgroupSize][16][4];
  const std::string error = error_of([] {
    operands_ready();
    uint32_t a[4];
    fragment(a);
    float d[16][4] = {}, e[16][4];
    for (auto& tile : e)
      for (float& x : tile) x = 1;
    begin_products(d);
    product<false>(d, a_descriptor(), keys_descriptor());
    commit_products();
    begin_products(e);
    product_values(e, a, values_descriptor());
    product<true>(e, a_descriptor(), keys_descriptor());
    commit_products();
    CHECK(std::isnan(d[0][0]));  // not waited for
    wait_products<1>(d);
    std::memcpy(once[thread()], d, sizeof d);
    CHECK(std::isnan(e[15][3]));
    wait_products<0>(e);
    std::memcpy(more[thread()], e, sizeof e);
  });
  CHECK(error.empty());
  for (int t = 0; t < kWarpgroupSize; ++t)
    for (int i = 0; i < 64; ++i) {
      const int row = t / 32 * 16 + t % 32 / 4 + i % 4 / 2 * 8, col = i / 4 * 8 + t % 4 * 2 + i % 2;
      float sum = 0;
      for (int k = 0; k < 16; ++k) sum += a_value(row, k) * b_value(k, col);
      CHECK_EQ(once[t][i / 4][i % 4], sum);
      CHECK_EQ(more[t][i / 4][i % 4], 1 + 2 * sum);
    }
}

TEST(products_find_operands_that_are_not_ready) {
  // The steps of a product, one of them left out or changed.
  enum Fault {
    kNone, kFence, kSync, kBegin, kCommit, kWait, kWaitLess, kOverwrite, kRegisters, kAccumulators, kMeaningless, kDiffer, kUnwritten, kBeyond
  };
  const auto with = [](Fault fault) {
    return error_of([fault] {
      put_operands();
      if (fault != kFence) fence_async();
      if (fault != kSync) sync_threads();
      uint32_t a[4];
      fragment(a);
      float d[16][4] = {};
      if (fault != kBegin) begin_products(d);
      uint64_t b = values_descriptor();
      if (fault == kMeaningless) b |= uint64_t{1} << 14;
      if (fault == kDiffer && thread() == 77) b = descriptor_later(b, 128);
      if (fault == kUnwritten) b = matrix_descriptor(kValues + 4096, 1024, kHalf);
      if (fault == kBeyond) b = matrix_descriptor(kShared, 1024, kHalf);
      product_values(d, a, b);
      if (fault != kCommit) commit_products();
      if (fault == kOverwrite) sync_threads(), store_shared_4(kValues + own_word(), 0);
      if (fault == kRegisters) a[2] ^= 1;
      if (fault == kAccumulators) d[3][1] = 0;
      if (fault == kWaitLess) wait_products<1>(d);
      if (fault != kWait) wait_products<0>(d);
      sync_threads();
      store_shared_4(kValues + own_word(), 0);
    });
  };
  CHECK(with(kNone).empty());
  CHECK(contains(with(kFence), "no fence"));
  CHECK(contains(with(kSync), "no barrier since"));
  CHECK(contains(with(kBegin), "before begin_products"));
  CHECK(contains(with(kCommit), "not waited for"));
  CHECK(contains(with(kWait), "written while a product"));
  CHECK(contains(with(kWaitLess), "not waited for"));
  CHECK(contains(with(kOverwrite), "written while a product"));
  CHECK(contains(with(kRegisters), "registers changed"));
  CHECK(contains(with(kAccumulators), "accumulators written"));
  CHECK(contains(with(kMeaningless), "no meaning"));
  CHECK(contains(with(kDiffer), "differ within"));
  CHECK(contains(with(kUnwritten), "never written"));
  CHECK(contains(with(kBeyond), "beyond"));
  CHECK(contains(error_of([] {  // done as far as this warp knows
    operands_ready();
    float d[16][4] = {};
    begin_products(d);
    product<true>(d, a_descriptor(), keys_descriptor());
    commit_products();
    wait_products<0>(d);
    store_shared_4(kKeys + own_word(), 0);
  }), "shared memory written"));
  CHECK(contains(error_of([] {
    operands_ready();
    float d[16][4] = {};
    begin_products(d);
    product<true>(d, a_descriptor(), keys_descriptor());
  }), "nobody waited"));
}

TEST(mbarriers_pass_on_what_their_arrivals_know) {
  // Warps 0 .. 3 write, warps 4 .. 7 read: 64 words a phase, as often as there are phases.
  enum Fault { kNone, kInit, kCount, kParity, kEmpty, kData };
  const auto with = [](Fault fault) {
    return error_of([fault] {
      if (thread() == 0) {
        init_barrier(kBarrier, fault == kCount ? 64 : 128);
        init_barrier(kBarrier + 8, 4);
      }
      if (fault != kInit) sync_threads();
      if (fault == kData && thread() == 5) arrive(kBarrier + 16);
      for (uint32_t phase = 0; phase < 3; ++phase) {
        if (thread() < 128) {
          if (fault != kEmpty) wait_barrier(kBarrier + 8, (phase ^ 1) & 1);
          store_shared_4(own_word(), phase);
          arrive(kBarrier);
        } else {
          wait_barrier(kBarrier, (fault == kParity ? phase ^ 1 : phase) & 1);
          CHECK_EQ(load_shared_4(static_cast<uint32_t>(thread() % 128 ^ 33) * 4), phase);
          sync_warp();
          if (lane() == 0) arrive(kBarrier + 8);
        }
      }
    }, 256);
  };
  CHECK(with(kNone).empty());
  CHECK(contains(with(kInit), "initialisation"));
  CHECK(!with(kCount).empty());
  CHECK(contains(with(kParity), "no barrier since"));
  CHECK(!with(kEmpty).empty());
  CHECK(contains(with(kData), "no mbarrier"));
  CHECK(contains(error_of([] {
    if (thread() == 0) init_barrier(0, 1);
    sync_threads();
    store_shared_4(own_word(), 1);
  }), "mbarrier used as data"));
  CHECK(contains(error_of([] {
    if (thread() == 0) init_barrier(kBarrier, 2);
    sync_threads();
    if (thread() == 0) arrive(kBarrier);
    wait_barrier(kBarrier, 0);
  }), "wait for others"));
}

TEST(copies_announce_themselves) {
  alignas(16) static const uint32_t source[4] = {1, 2, 3, 4};
  const auto with = [](bool wait, bool fence, bool go_on) {
    return error_of([=] {
      if (thread() == 0) init_barrier(kBarrier, 128);
      sync_threads();
      if (thread() < 128) {
        for (uint32_t i = 0; i < 24; ++i) copy_async_16(static_cast<uint32_t>(thread()) * 16 + 2048 * i, source, i % 2 == 0);
        arrive_when_copied(kBarrier);
        if (!go_on) load_shared_4(own_word());
        return;
      }
      if (wait) wait_barrier(kBarrier, 0);
      if (fence) fence_async();
      CHECK_EQ(load_shared_4(static_cast<uint32_t>(thread() % 128) * 4), thread() % 4 + 1u);
      CHECK_EQ(load_shared_4(static_cast<uint32_t>(thread() % 128) * 4 + 2048), 0u);
      uint32_t a[4] = {};
      float d[16][4] = {};
      begin_products(d);
      product_values(d, a, values_descriptor());
      commit_products();
      wait_products<0>(d);
    }, 256);
  };
  CHECK(with(true, true, true).empty());
  CHECK(contains(with(false, true, true), "waited for"));
  CHECK(contains(with(true, false, true), "no fence"));
  CHECK(contains(with(true, true, false), "waited for"));
}

TEST(named_barriers_and_registers) {
  CHECK(error_of([] {
    if (thread() < 128) {
      store_shared_4(own_word(), 7);
      arrive_named(1, 256);
      sync_named(2, 256);
    } else {
      sync_named(1, 256);
      CHECK_EQ(load_shared_4(own_word() - 512), 7u);
      arrive_named(2, 256);
    }
  }, 256).empty());
  CHECK(contains(error_of([] {
    if (thread() < 128) store_shared_4(own_word(), 7), arrive_named(1, 256);
    else arrive_named(1, 256), load_shared_4(own_word() - 512);
  }, 256), "no barrier since"));
  CHECK(contains(error_of([] { arrive_named(1, 256); }), "for nothing"));
  CHECK(contains(error_of([] { sync_named(1, 256); }), "wait for others"));
  CHECK(contains(error_of([] { sync_named(1, thread() < 64 ? 128 : 96); }), "different numbers"));
  CHECK(contains(error_of([] { sync_named(0, 128); }), "does not exist"));

  CHECK(error_of([] { thread() < 128 ? shrink_registers<40>() : grow_registers<232>(); }, 384).empty());
  CHECK(contains(error_of([] { thread() < 128 ? shrink_registers<40>() : grow_registers<240>(); }, 384), "wait for others"));
  CHECK(contains(error_of([] { thread() < 128 ? shrink_registers<44>() : grow_registers<232>(); }, 384), "cannot be set"));
  CHECK(contains(error_of([] { thread() < 128 ? shrink_registers<232>() : grow_registers<40>(); }, 384), "cannot be set"));
}
