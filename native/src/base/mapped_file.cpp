#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

#include "base/status.h"

namespace e4j {
namespace {

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

[[noreturn]] void refuse(const std::string& path, const char* call, int error) {
  throw Error(E4J_IO_ERROR, path + ": " + call + ": " + std::generic_category().message(error));
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  // O_NONBLOCK: opening a pipe without a writer would wait for ever.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) refuse(path, "open", errno);
  struct stat status;
  if (::fstat(file.fd, &status) != 0) refuse(path, "fstat", errno);
  if (S_ISDIR(status.st_mode)) throw Error(E4J_BAD_FORMAT, path + ": is a directory, expected a file");
  if (!S_ISREG(status.st_mode)) throw Error(E4J_BAD_FORMAT, path + ": is not a regular file");
  if (status.st_size <= 0) throw Error(E4J_BAD_FORMAT, path + ": the file is empty");
  size_ = static_cast<size_t>(status.st_size);
  void* mapping = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.fd, 0);
  if (mapping == MAP_FAILED) refuse(path, "mmap", errno);
  data_ = static_cast<const std::byte*>(mapping);
  try {
    guard_.emplace(data_, size_);
  } catch (...) {  // out of memory: there will be no destructor
    ::munmap(mapping, size_);
    throw;
  }
}

MappedFile::~MappedFile() {
  guard_.reset();
  ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release(const std::byte* begin, size_t bytes) const noexcept {
  if (begin < data_ || begin > data_ + size_ || bytes > static_cast<size_t>(data_ + size_ - begin)) return;
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t offset = static_cast<size_t>(begin - data_);
  const size_t first = (offset + page - 1) / page * page;
  const size_t last = (offset + bytes) / page * page;
  if (first < last) ::madvise(const_cast<std::byte*>(data_) + first, last - first, MADV_DONTNEED);
}

void fault_in(const std::byte* begin, size_t bytes) noexcept {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE)), before = reinterpret_cast<uintptr_t>(begin) % page;
  ::madvise(const_cast<std::byte*>(begin) - before, bytes + before, MADV_WILLNEED);
  // A fault maps what is in the page cache around it, 64 KiB unless the system was told otherwise.
  constexpr size_t kStep = size_t{64} << 10;
  for (size_t at = 0; at < bytes; at += kStep) *static_cast<const volatile std::byte*>(begin + at);
}

}  // namespace e4j
