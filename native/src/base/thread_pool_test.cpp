#include "base/thread_pool.h"

#include "test.h"

using namespace e4j;

TEST(every_index_is_run_once_on_any_number_of_threads) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 2000; ++round) {
      const int count = round % 37;
      std::vector<std::atomic<int>> hits(static_cast<size_t>(count) + 1);
      pool.parallel_for(count, [&](int i, int thread) {
        if (thread < 0 || thread >= threads) hits.back()++;
        hits[static_cast<size_t>(i)]++;
      });
      for (int i = 0; i < count; ++i) CHECK_EQ(hits[static_cast<size_t>(i)].load(), 1);
      CHECK_EQ(hits.back().load(), 0);
    }
  }
}

TEST(a_pool_that_slept_wakes_up) {
  ThreadPool pool(2);
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> sum{0};
    pool.parallel_for(100, [&](int i, int) { sum += i; });
    CHECK_EQ(sum.load(), 4950);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(a_cancelled_turn_ends_between_slices) {
  for (int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    int32_t cancel = 0;
    std::atomic<int> done{0};
    const auto cancelled_midway = [&] {
      ThreadPool::Turn turn(pool, &cancel, false);
      pool.parallel_for(10'000, [&](int, int) {
        if (done.fetch_add(1) == 9) __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
      });
    };
    CHECK_THROWS(cancelled_midway(), E4J_CANCELLED, "cancelled");
    CHECK(done.load() >= 10 && done.load() < 10'000);
    ThreadPool::Turn turn(pool, nullptr, false);
    std::atomic<int> sum{0};
    pool.parallel_for(100, [&](int i, int) { sum += i; });
    CHECK_EQ(sum.load(), 4950);
  }
}

// Two background callers and two others: every slice is run once, never two callers' at a time, and the others do
// not wait until the background is done.
TEST(a_background_turn_pauses_for_others_and_loses_nothing) {
  constexpr int kSlices = 400;
  for (int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    std::atomic<int> inside[4] = {};  // slices of each caller that run just now
    std::atomic<int> mixed{0}, late{0}, begun{0}, arrived{0};
    std::vector<std::vector<std::atomic<int>>> hits;
    for (int c = 0; c < 4; ++c) hits.emplace_back(kSlices);
    std::atomic<int> done_in_background{0};
    const auto call = [&](int caller, bool background) {
      if (!background) ++arrived;
      ThreadPool::Turn turn(pool, nullptr, background);
      if (!background && done_in_background.load() == 2 * kSlices) ++late;
      pool.parallel_for(kSlices, [&](int i, int) {
        ++inside[caller];  // first, so that of two callers inside at once the later one sees the earlier
        for (int other = 0; other < 4; ++other)
          if (other != caller && inside[other].load() != 0) ++mixed;
        hits[static_cast<size_t>(caller)][static_cast<size_t>(i)]++;
        if (background) {
          ++begun;
          while (i >= 10 && arrived.load() < 2) std::this_thread::yield();  // however slowly threads start here
          std::this_thread::sleep_for(std::chrono::microseconds(500));
          ++done_in_background;
        }
        --inside[caller];
      });
    };
    std::vector<std::thread> callers;
    for (int c = 0; c < 2; ++c) callers.emplace_back([&, c] { call(c, true); });
    while (begun.load() < 5) std::this_thread::yield();
    for (int c = 2; c < 4; ++c) callers.emplace_back([&, c] { call(c, false); });
    for (auto& c : callers) c.join();
    for (const auto& caller : hits)
      for (const auto& slice : caller) CHECK_EQ(slice.load(), 1);
    CHECK_EQ(mixed.load(), 0);
    CHECK_EQ(late.load(), 0);
  }
}

TEST(usable_processors_is_at_least_one) { CHECK(usable_processors() >= 1); }
