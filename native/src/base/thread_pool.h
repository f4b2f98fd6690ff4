// One persistent pool per model. A call to parallel_for hands out slices of [0, count) until none is left and returns when
// all are done; which thread takes a slice never changes a result, because slices write disjoint outputs.
//
// Callers that share a pool take turns. Between two slices a turn may end for good, when its caller cancels it, or, when it is
// a background one, pause until no other caller wants the pool: so a pass over a long text delays a short one by a slice, of
// which none takes longer than some milliseconds, and nothing is computed twice.
#pragma once
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace e4j {

class ThreadPool {
 public:
  // num_threads >= 1, the caller's thread counted in. Fails with E4J_OUT_OF_MEMORY when they cannot be started.
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;

  int num_threads() const noexcept { return num_threads_; }

  // The right to call parallel_for, waited for; others wait until it is destroyed, or paused. `cancel`: or null; another
  // thread sets it to non-zero. A background turn begins and goes on only while no other is wanted.
  class Turn {
   public:
    Turn(ThreadPool& pool, const int32_t* cancel, bool background);
    ~Turn();
    Turn(const Turn&) = delete;

   private:
    friend class ThreadPool;
    bool cancelled() const noexcept { return cancel_ != nullptr && __atomic_load_n(cancel_, __ATOMIC_RELAXED) != 0; }
    bool must_pause() const noexcept { return background_ && pool_.wanted_.load(std::memory_order_relaxed) != 0; }
    void begin();
    void end() noexcept;

    ThreadPool& pool_;
    const int32_t* const cancel_;
    const bool background_;
  };

  // body(index, thread): index in [0, count), thread in [0, num_threads). Must not throw. One call at a time, within a turn
  // unless nobody else uses the pool. Fails with E4J_CANCELLED when the turn is cancelled; then some slices were not run.
  template <class Body>
  void parallel_for(int count, Body&& body) {
    using B = std::remove_reference_t<Body>;
    run(count, [](void* context, int index, int thread) { (*static_cast<B*>(context))(index, thread); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

  // body(at, count) for the parts [at, at + count) of [0, bytes): some huge pages each, which the system provides at their first touch.
  template <class Body>
  void for_parts(size_t bytes, Body&& body) {
    constexpr size_t kPart = size_t{4} << 20;
    parallel_for(static_cast<int>((bytes + kPart - 1) / kPart), [&](int part, int) {
      const size_t at = static_cast<size_t>(part) * kPart;
      body(at, std::min(kPart, bytes - at));
    });
  }

 private:
  using Task = void (*)(void* context, int index, int thread);
  void stop() noexcept;
  void run(int count, Task task, void* context);
  int hand_out(int first, int count, Task task, void* context);
  bool interrupted() const noexcept { return turn_ != nullptr && (turn_->cancelled() || turn_->must_pause()); }
  void work(int thread);
  void drain(int thread);

  const int num_threads_;
  std::vector<std::thread> threads_;
  Task task_ = nullptr;
  void* context_ = nullptr;
  int count_ = 0;
  alignas(64) std::atomic<int> next_{0};
  alignas(64) std::atomic<int> running_{0};      // workers still inside the current generation
  alignas(64) std::atomic<unsigned> generation_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // guards sleeping only
  std::condition_variable wake_;

  Turn* turn_ = nullptr;         // of the caller that has the pool; null outside turns
  std::atomic<int> wanted_{0};   // callers that wait for a turn which is not a background one
  std::mutex turns_mutex_;
  std::condition_variable turn_over_;
  bool taken_ = false;           // guarded by turns_mutex_
};

// Processors this process may use: the affinity mask, cut by the cgroup's CPU quota; at least 1.
int usable_processors() noexcept;

}  // namespace e4j
