// What an emulated thread block stops at.
#pragma once
#include <functional>
#include <string>

#include "cuda/thread_block/block.h"

namespace e4j::test {

// The error that a kernel ends with; empty: none.
inline std::string error_of(cuda::Block&& block, const std::function<void()>& kernel) {
  try {
    block.run(0, kernel);
  } catch (const cuda::EmulationError& e) {
    return e.what();
  }
  return "";
}
inline bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }
// Where a thread has a word of shared memory to itself.
inline uint32_t own_word() { return static_cast<uint32_t>(cuda::Block::current().thread()) * 4; }

}  // namespace e4j::test
