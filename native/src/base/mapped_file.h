// A regular file mapped read-only for as long as the object lives.
#pragma once
#include <cstddef>
#include <optional>
#include <string>

#include "base/bus_guard.h"

namespace e4j {

// Replacing the file by rename, as package and model downloads do, changes nothing here. When it is cut short meanwhile, what lay
// behind its new end reads as zeros, and lost() says so.
class MappedFile {
 public:
  // Fails with E4J_IO_ERROR when the system refuses, with E4J_BAD_FORMAT when the file is empty or not a regular file.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::byte* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }

  // Some of the file could not be read any more: what was read may be zeros that are not in it.
  bool lost() const noexcept { return guard_->lost(); }
  // Drops the resident pages that lie wholly inside [begin, begin + bytes); reading them again loads them again.
  void release(const std::byte* begin, size_t bytes) const noexcept;

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::optional<BusGuard> guard_;
};

// Brings bytes of a mapping into memory and into this process's page tables, so that the first who computes with them need not wait
// for the disk or the system.
void fault_in(const std::byte* begin, size_t bytes) noexcept;

}  // namespace e4j
