// A library to load in place of libembed4j: e4j_embed calls the real one and notes when it began and ended, so that a caller
// with the same clock (Java's System.nanoTime) knows what a call costs outside it. All other functions are found in
// libembed4j, which this library depends on.
#include <dlfcn.h>

#include <atomic>
#include <ctime>

#include "embed4j.h"

namespace {

using Embed = e4j_status (*)(e4j_session*, const e4j_batch*, e4j_result*, e4j_error*);

std::atomic<int64_t> last_nanos{0};

int64_t now() noexcept {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * int64_t{1'000'000'000} + t.tv_nsec;
}

Embed real_embed() noexcept {
  void* library = dlopen("libembed4j.so", RTLD_NOW | RTLD_NOLOAD);
  return library == nullptr ? nullptr : reinterpret_cast<Embed>(dlsym(library, "e4j_embed"));
}

}  // namespace

extern "C" {

E4J_API e4j_status e4j_embed(e4j_session* session, const e4j_batch* batch, e4j_result* result, e4j_error* error) {
  static const Embed real = real_embed();
  if (real == nullptr) return E4J_INTERNAL;
  const int64_t begin = now();
  const e4j_status status = real(session, batch, result, error);
  last_nanos = now() - begin;
  return status;
}

// Nanoseconds of the last e4j_embed.
E4J_API int64_t bench_embed_nanos(void) { return last_nanos; }
}
