// Reads forward through untrusted bytes; every step is checked against what is left.
#pragma once
#include <cstring>
#include <string>
#include <string_view>

#include "base/status.h"

namespace e4j {

class Cursor {
 public:
  Cursor(const std::byte* bytes, size_t size) : begin_(bytes), size_(size) {}

  // What is being read, for messages: "the header", "key 'general.name'".
  void enter(std::string subject) { subject_ = std::move(subject); }
  const char* subject() const { return subject_.c_str(); }

  size_t position() const { return position_; }
  size_t left() const { return size_ - position_; }

  const std::byte* take(size_t bytes, const char* what) {
    if (bytes > left())
      fail(E4J_BAD_FORMAT, "%s: %s needs %zu bytes at offset %zu, the file has %zu left", subject(), what, bytes,
           position_, left());
    const std::byte* here = begin_ + position_;
    position_ += bytes;
    return here;
  }

  template <class T>
  T read(const char* what) {
    T value;
    std::memcpy(&value, take(sizeof value, what), sizeof value);
    return value;
  }

  std::string_view text(const char* what) {
    const uint64_t length = read<uint64_t>(what);
    return {reinterpret_cast<const char*>(take(length, what)), length};
  }

  // A number of items that each take at least `least` bytes: more than fit is refused before anything is allocated.
  uint64_t count(const char* what, size_t least) {
    const uint64_t n = read<uint64_t>(what);
    if (n > left() / least)
      fail(E4J_BAD_FORMAT, "%s: %s is %llu, the %zu bytes left hold at most %zu", subject(), what,
           static_cast<unsigned long long>(n), left(), left() / least);
    return n;
  }

 private:
  const std::byte* begin_;
  size_t size_;
  size_t position_ = 0;
  std::string subject_;
};

}  // namespace e4j
