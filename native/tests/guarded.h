// A copy of an array that ends where a page begins that may not be touched: reading or writing past it ends the test.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <vector>

#include "base/status.h"

namespace e4j::test {

template <class T>
class Guarded {
 public:
  explicit Guarded(const std::vector<T>& values) {
    const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE)), bytes = values.size() * sizeof(T);
    const size_t pages = (bytes + page - 1) / page;
    size_ = (pages + 1) * page;
    void* memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    E4J_CHECK(memory != MAP_FAILED);
    start_ = static_cast<std::byte*>(memory);
    E4J_CHECK(::mprotect(start_ + pages * page, page, PROT_NONE) == 0);
    data_ = reinterpret_cast<T*>(start_ + pages * page - bytes);
    if (bytes > 0) std::memcpy(data_, values.data(), bytes);
  }
  ~Guarded() { ::munmap(start_, size_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() const { return data_; }

 private:
  std::byte* start_;
  size_t size_;
  T* data_;
};

}  // namespace e4j::test
