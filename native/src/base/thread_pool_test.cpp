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

TEST(usable_processors_is_at_least_one) { CHECK(usable_processors() >= 1); }
