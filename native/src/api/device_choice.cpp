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
  if (std::strcmp(text, "cuda:all") == 0) return {Kind::kAll, 0};
  if (std::strncmp(text, "cuda:", 5) == 0) {
    int index = -1;
    const char* end = text + std::strlen(text);
    const auto [at, error] = std::from_chars(text + 5, end, index);
    if (error == std::errc() && at == end && index >= 0) return {Kind::kCuda, index};
  }
  fail(E4J_INVALID_ARGUMENT, "params.device is \"%.64s\", expected \"cpu\", \"cuda\", \"cuda:N\" with N from 0, \"cuda:all\" or \"auto\"", text);
}

bool parse_precision(const char* text, DeviceChoice& choice) {
  using Kind = DeviceChoice::Kind;
  if (text == nullptr || std::strcmp(text, "model") == 0) return false;
  if (std::strcmp(text, "fp8") != 0) fail(E4J_INVALID_ARGUMENT, "params.precision is \"%.64s\", expected \"model\" or \"fp8\"", text);
  if (choice.kind == Kind::kCpu)
    fail(E4J_INVALID_ARGUMENT, "params.precision is \"fp8\", which needs an NVIDIA GPU of compute capability 8.9 or newer, but the device is the CPU");
  if (choice.kind == Kind::kAuto) choice.kind = Kind::kCuda;
  return true;
}

std::string with_device(const DeviceChoice& choice, const std::function<std::unique_ptr<Backend>()>& cpu,
                        const std::function<std::unique_ptr<Backend>(int index)>& cuda, const std::function<int()>& count,
                        const std::function<void(std::unique_ptr<Backend>)>& open) {
  std::string note;
  if (choice.kind == DeviceChoice::Kind::kAll) {
    for (int i = 0, n = count(); i < n; ++i) open(cuda(i));
    return note;
  }
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
