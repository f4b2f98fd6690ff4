#include "cuda/shared_object.h"

#include <dlfcn.h>

#include "base/status.h"

namespace e4j::cuda {

SharedObject::SharedObject(const LibraryPlaces& places) {
  std::string tried;
  for (const std::string& path : places.paths) {
    handle_ = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ != nullptr) {
      path_ = path;
      return;
    }
    const char* reason = ::dlerror();
    const std::string text = reason != nullptr ? reason : "not found";
    tried += "\n  " + (text.starts_with(path + ":") ? text : path + ": " + text);
  }
  fail(E4J_DEVICE_UNAVAILABLE, "%s was not found or could not be loaded. Looked for:%s\n%s", places.what.c_str(), tried.c_str(),
       places.remedy.c_str());
}

void* SharedObject::find(const char* symbol) const noexcept { return ::dlsym(handle_, symbol); }

std::string own_folder() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return "";
  const std::string file = info.dli_fname;
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? "" : file.substr(0, slash + 1);
}

}  // namespace e4j::cuda
