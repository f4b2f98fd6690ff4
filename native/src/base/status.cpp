#include "base/status.h"

#include <cstdio>

namespace e4j {

void fail(e4j_status status, const char* format, ...) {
  char text[1016];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  throw Error(status, text);
}

}  // namespace e4j
