// A shared library opened at run time and never closed: what it started may still run when a model is gone.
#pragma once
#include <string>
#include <vector>

namespace e4j::cuda {

// Where a library is looked for, in order.
struct LibraryPlaces {
  std::string what;                // "libembed4j_cuda", for messages
  std::vector<std::string> paths;  // files, and names for the system's own search
  std::string remedy;              // how to install or name it
};

class SharedObject {
 public:
  // Fails with E4J_DEVICE_UNAVAILABLE, listing every place with what was wrong there.
  explicit SharedObject(const LibraryPlaces& places);

  const std::string& path() const noexcept { return path_; }
  void* find(const char* symbol) const noexcept;  // null when absent

 private:
  void* handle_ = nullptr;
  std::string path_;
};

// The folder of the library that this code is in, with a slash at its end; empty when the system does not say.
std::string own_folder();

}  // namespace e4j::cuda
