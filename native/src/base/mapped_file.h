// A regular file mapped read-only for as long as the object lives.
#pragma once
#include <cstddef>
#include <string>

namespace e4j {

// Nobody may shorten the file meanwhile: touching a page past its new end ends the process (SIGBUS). Replacing it by
// rename, as package and model downloads do, is safe.
class MappedFile {
 public:
  // Fails with E4J_IO_ERROR when the system refuses, with E4J_BAD_FORMAT when the file is empty or not a regular file.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::byte* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }

  // Drops the resident pages that lie wholly inside [begin, begin + bytes); reading them again loads them again.
  void release(const std::byte* begin, size_t bytes) const noexcept;

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace e4j
