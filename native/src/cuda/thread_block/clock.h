// Who knows of whose work in an emulated thread block: vector clocks. An actor is a thread, or the copies that a thread has
// started, which arrive on their own. Barriers pass on what their arrivers know to those that wait.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace e4j::cuda {

class Clock {
 public:
  Clock() = default;
  explicit Clock(size_t actors) : times_(2 * actors) {}

  // The actor's work up to `time` is known; and known behind a fence between the generic and the async proxy.
  bool knows(size_t actor, uint32_t time) const { return times_[actor] >= time; }
  bool knows_fenced(size_t actor, uint32_t time) const { return times_[times_.size() / 2 + actor] >= time; }

  uint32_t time(size_t actor) const { return times_[actor]; }
  void learn(size_t actor, uint32_t time) { times_[actor] = std::max(times_[actor], time); }
  void join(const Clock& other) {
    for (size_t i = 0; i < times_.size(); ++i) times_[i] = std::max(times_[i], other.times_[i]);
  }
  // What both know.
  void meet(const Clock& other) {
    for (size_t i = 0; i < times_.size(); ++i) times_[i] = std::min(times_[i], other.times_[i]);
  }
  void fence() { std::copy_n(times_.begin(), times_.size() / 2, times_.begin() + static_cast<std::ptrdiff_t>(times_.size() / 2)); }

 private:
  std::vector<uint32_t> times_;  // of every actor: known, then known behind a fence
};

}  // namespace e4j::cuda
