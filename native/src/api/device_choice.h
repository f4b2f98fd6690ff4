// Which backend a model runs on.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "ops/ops.h"

namespace e4j {

struct DeviceChoice {
  enum class Kind { kCpu, kCuda, kAll, kAuto } kind = Kind::kCpu;
  int index = 0;  // of a GPU
};

// "cpu", "cuda", "cuda:N", "cuda:all" or "auto"; null: cpu. Fails with E4J_INVALID_ARGUMENT for anything else.
DeviceChoice parse_device(const char* text);

// "model" or "fp8": whether the decoder's products are to be in fp8; null: model. Fails with E4J_INVALID_ARGUMENT for anything else,
// and for fp8 on the CPU. With fp8 a GPU is needed: kAuto becomes kCuda.
bool parse_precision(const char* text, DeviceChoice& choice);

// Runs `open` with the backends that the choice allows until one succeeds, the GPU first; for kAll with those of all GPUs, one
// after another. For kAuto, a GPU that is missing, too
// old or too small for the model is a note, not an error: the text of what was wrong is returned. Empty otherwise.
std::string with_device(const DeviceChoice& choice, const std::function<std::unique_ptr<Backend>()>& cpu,
                        const std::function<std::unique_ptr<Backend>(int index)>& cuda, const std::function<int()>& count,
                        const std::function<void(std::unique_ptr<Backend>)>& open);

}  // namespace e4j
