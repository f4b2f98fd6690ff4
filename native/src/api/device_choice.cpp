#include "api/device_choice.h"

#include <charconv>
#include <cstring>

#include "base/status.h"

namespace e4j {

DeviceChoice parse_device(const char* text) {
  using Kind = DeviceChoice::Kind;
  if (text == nullptr || std::strcmp(text, "cpu") == 0) return {Kind::kCpu, 0};
  if (std::strcmp(text, "auto") == 0) return {Kind::kAuto, 0};
  if (std::strcmp(text, "cuda") == 0) return {Kind::kCuda, 0};
  if (std::strncmp(text, "cuda:", 5) == 0) {
    int index = -1;
    const char* end = text + std::strlen(text);
    const auto [at, error] = std::from_chars(text + 5, end, index);
    if (error == std::errc() && at == end && index >= 0) return {Kind::kCuda, index};
  }
  fail(E4J_INVALID_ARGUMENT, "params.device is \"%.64s\", expected \"cpu\", \"cuda\", \"cuda:N\" with N from 0, or \"auto\"", text);
}

std::string with_device(const DeviceChoice& choice, const std::function<std::unique_ptr<Backend>()>& cpu,
                        const std::function<std::unique_ptr<Backend>(int index)>& cuda,
                        const std::function<void(std::unique_ptr<Backend>)>& open) {
  std::string note;
  if (choice.kind != DeviceChoice::Kind::kCpu) {
    try {
      open(cuda(choice.index));
      return note;
    } catch (const Error& e) {
      const bool of_the_device = e.status() == E4J_DEVICE_UNAVAILABLE || e.status() == E4J_OUT_OF_MEMORY;
      if (choice.kind == DeviceChoice::Kind::kCuda || !of_the_device) throw;
      note = e.what();
    }
  }
  open(cpu());
  return note;
}

}  // namespace e4j
