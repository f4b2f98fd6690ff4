// Every extern "C" function runs its body through `guarded`: exceptions end here.
#pragma once
#include <new>

#include "base/status.h"

namespace e4j {

// Writes the text, cut at a UTF-8 character boundary; returns status.
e4j_status report(e4j_error* error, e4j_status status, const char* message) noexcept;

template <class Body>
e4j_status guarded(e4j_error* error, Body&& body) noexcept {
  try {
    body();
    return E4J_OK;
  } catch (const Error& e) {
    return report(error, e.status(), e.what());
  } catch (const std::bad_alloc&) {
    return report(error, E4J_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return report(error, E4J_INTERNAL, e.what());
  } catch (...) {
    return report(error, E4J_INTERNAL, "unknown exception");
  }
}

// A params or output struct from the caller: not NULL and as large as the struct of this ABI version.
template <class T>
void check_struct(const T* s, const char* name) {
  if (s == nullptr) fail(E4J_INVALID_ARGUMENT, "%s is NULL", name);
  if (s->struct_size != sizeof(T))
    fail(E4J_INVALID_ARGUMENT, "%s.struct_size is %u, expected %zu: built against another ABI version", name,
         s->struct_size, sizeof(T));
}

// The same for a struct that has grown at its end: one of the older `first_size` is taken too. Returns its size.
template <class T>
size_t check_grown_struct(const T* s, size_t first_size, const char* name) {
  if (s == nullptr) fail(E4J_INVALID_ARGUMENT, "%s is NULL", name);
  if (s->struct_size != sizeof(T) && s->struct_size != first_size)
    fail(E4J_INVALID_ARGUMENT, "%s.struct_size is %u, expected %zu or %zu: built against another ABI version", name,
         s->struct_size, sizeof(T), first_size);
  return s->struct_size;
}

inline void check_handle(const void* handle, const char* name) {
  if (handle == nullptr) fail(E4J_INVALID_ARGUMENT, "%s is NULL", name);
}

}  // namespace e4j
