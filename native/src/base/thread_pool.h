// One persistent pool per model. A call to parallel_for hands out slices of [0, count) until none is left and returns when
// all are done; which thread takes a slice never changes a result, because slices write disjoint outputs.
#pragma once
#include <atomic>
#include <condition_variable>
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

  // body(index, thread): index in [0, count), thread in [0, num_threads). Must not throw. One call at a time.
  template <class Body>
  void parallel_for(int count, Body&& body) {
    using B = std::remove_reference_t<Body>;
    run(count, [](void* context, int index, int thread) { (*static_cast<B*>(context))(index, thread); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  using Task = void (*)(void* context, int index, int thread);
  void stop() noexcept;
  void run(int count, Task task, void* context);
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
};

// Processors this process may use: the affinity mask, cut by the cgroup's CPU quota; at least 1.
int usable_processors() noexcept;

}  // namespace e4j
