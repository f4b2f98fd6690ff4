// Reading a page of a mapped file that is no longer there - somebody cut the file short, or the disk failed - raises SIGBUS, which
// would end the process. Inside a guarded range such pages read as zeros instead, and the guard remembers it.
#pragma once
#include <cstddef>

namespace e4j {

// The handler is installed with the first guard and stays. Faults outside every guarded range go to the handler that was there
// before (in a JVM, its own).
class BusGuard {
 public:
  // [begin, begin + bytes) is a mapping, whole pages of it, and stays one for the guard's lifetime.
  BusGuard(const std::byte* begin, size_t bytes);
  ~BusGuard();
  BusGuard(const BusGuard&) = delete;
  BusGuard& operator=(const BusGuard&) = delete;

  // Some page could not be read; from there on the range reads as zeros.
  bool lost() const noexcept;

 private:
  struct BusRange* range_;
};

}  // namespace e4j
