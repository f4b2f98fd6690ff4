#include "api/guard.h"

#include <cstring>

namespace e4j {

e4j_status report(e4j_error* error, e4j_status status, const char* message) noexcept {
  if (error == nullptr || error->struct_size != sizeof(e4j_error)) return status;
  error->status = status;
  size_t n = std::strlen(message);
  if (n >= sizeof error->message) {
    n = sizeof error->message - 1;
    while (n > 0 && (static_cast<unsigned char>(message[n]) & 0xC0) == 0x80) --n;
  }
  std::memcpy(error->message, message, n);
  error->message[n] = 0;
  return status;
}

}  // namespace e4j
