// A stream of the emulated device, as its two libraries share it: work runs when it is queued, unless a graph is being captured.
#pragma once
#include <functional>
#include <vector>

#include "cuda/device_api.h"

namespace e4j::cuda::emulated {

using Step = std::function<int()>;  // 0 or an error number

struct Queue {
  int device = 0;
  bool capturing = false;
  std::vector<Step> captured;
};

inline int enqueue(Stream stream, Step step) {
  auto* queue = reinterpret_cast<Queue*>(stream);
  if (queue == nullptr || !queue->capturing) return step();
  queue->captured.push_back(std::move(step));
  return 0;
}

}  // namespace e4j::cuda::emulated
