// Page-backed memory for weights and workspaces: zero-filled, 64-byte aligned, huge pages asked for when large.
#pragma once
#include <cstddef>
#include <utility>

namespace e4j {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t bytes);  // throws std::bad_alloc; zero bytes give an empty buffer
  ~Buffer();
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }

  size_t size() const noexcept { return size_; }
  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  template <class T>
  T* as() noexcept {
    return reinterpret_cast<T*>(data_);
  }
  template <class T>
  const T* as() const noexcept {
    return reinterpret_cast<const T*>(data_);
  }
  // Grows to at least `bytes`; the contents are lost when it grows.
  void reserve(size_t bytes) {
    if (bytes > size_) *this = Buffer(), *this = Buffer(bytes);
  }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace e4j
