#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cmath>
#include <system_error>

#include "base/status.h"

namespace e4j {
namespace {

// About 20 us of waiting before a worker sleeps: longer than the gap between two operations of a forward pass, short
// enough to leave the processor to others between calls.
constexpr int kSpins = 4000;

inline void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int num_threads) : num_threads_(std::max(1, num_threads)) {
  threads_.reserve(static_cast<size_t>(num_threads_ - 1));
  try {
    for (int i = 1; i < num_threads_; ++i) threads_.emplace_back([this, i] { work(i); });
  } catch (const std::system_error& e) {
    const size_t started = threads_.size() + 1;
    stop();  // a running std::thread must not be destroyed
    fail(E4J_OUT_OF_MEMORY, "only %zu of %d threads could be started: %s", started, num_threads_, e.what());
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() noexcept {
  {
    std::lock_guard lock(mutex_);
    stopping_.store(true);
    generation_.fetch_add(1);
  }
  wake_.notify_all();
  for (auto& t : threads_) t.join();
}

ThreadPool::Turn::Turn(ThreadPool& pool, const int32_t* cancel, bool background)
    : pool_(pool), cancel_(cancel), background_(background) {
  begin();
}

ThreadPool::Turn::~Turn() { end(); }

void ThreadPool::Turn::begin() {
  std::unique_lock lock(pool_.turns_mutex_);
  if (!background_) pool_.wanted_.fetch_add(1, std::memory_order_relaxed);
  pool_.turn_over_.wait(lock, [&] { return !pool_.taken_ && !must_pause(); });
  if (!background_) pool_.wanted_.fetch_sub(1, std::memory_order_relaxed);
  pool_.taken_ = true;
  pool_.turn_ = this;
}

void ThreadPool::Turn::end() noexcept {
  {
    std::lock_guard lock(pool_.turns_mutex_);
    pool_.turn_ = nullptr;
    pool_.taken_ = false;
  }
  pool_.turn_over_.notify_all();
}

// The position is kept here, not in the pool: between two slices another caller may have the pool.
void ThreadPool::run(int count, Task task, void* context) {
  Turn* const turn = turn_;
  for (int first = 0; first < count;) {
    if (turn != nullptr && turn->cancelled()) fail(E4J_CANCELLED, "cancelled by the caller");
    if (turn != nullptr && turn->must_pause()) {
      turn->end();
      turn->begin();
    }
    first = hand_out(first, count, task, context);
  }
}

// Returns the first slice that was not run: count, unless interrupted.
int ThreadPool::hand_out(int first, int count, Task task, void* context) {
  if (num_threads_ == 1 || count - first == 1) {
    for (; first < count && !interrupted(); ++first) task(context, first, 0);
    return first;
  }
  task_ = task;
  context_ = context;
  count_ = count;
  next_.store(first, std::memory_order_relaxed);
  running_.store(num_threads_ - 1, std::memory_order_relaxed);
  {
    std::lock_guard lock(mutex_);
    generation_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  drain(0);
  for (int spins = 0; running_.load(std::memory_order_acquire) != 0; ++spins)
    spins < kSpins ? relax() : std::this_thread::yield();
  return std::min(next_.load(std::memory_order_relaxed), count);
}

// Every slice that is taken is run.
void ThreadPool::drain(int thread) {
  while (!interrupted()) {
    const int i = next_.fetch_add(1, std::memory_order_relaxed);
    if (i >= count_) return;
    task_(context_, i, thread);
  }
}

void ThreadPool::work(int thread) {
  unsigned seen = 0;
  for (;;) {
    for (int spins = 0; spins < kSpins && generation_.load(std::memory_order_acquire) == seen; ++spins) relax();
    if (generation_.load(std::memory_order_acquire) == seen) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return generation_.load(std::memory_order_acquire) != seen; });
    }
    seen = generation_.load(std::memory_order_acquire);
    if (stopping_.load()) return;
    drain(thread);
    running_.fetch_sub(1, std::memory_order_release);
  }
}

int usable_processors() noexcept {
  int n = 1;
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
  // cgroup v2: "quota period" or "max period"; a container's own group is mounted at the root of the hierarchy.
  if (std::FILE* f = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {
    double quota = 0, period = 0;
    if (std::fscanf(f, "%lf %lf", &quota, &period) == 2 && quota > 0 && period > 0)
      n = std::min(n, static_cast<int>(std::ceil(quota / period)));
    std::fclose(f);
  }
  return std::max(1, n);
}

}  // namespace e4j
