// What a GgufFile holds; filled by parse_gguf, immutable afterwards.
#pragma once
#include <optional>
#include <unordered_map>

#include "base/mapped_file.h"
#include "gguf/gguf.h"

namespace e4j {

struct GgufFile::State {
  std::string path;
  std::optional<MappedFile> mapping;  // empty when the bytes are the caller's
  const std::byte* bytes = nullptr;
  size_t size = 0;
  uint32_t alignment = 32;
  uint64_t data_offset = 0;
  bool in_place = false;
  std::vector<GgufValue> values;
  std::vector<GgufTensor> tensors;
  std::unordered_map<std::string_view, size_t> value_index;   // key -> place in values
  std::unordered_map<std::string_view, size_t> tensor_index;  // name -> place in tensors

  // Reads and checks bytes[size] into everything else; messages do not name the path.
  void parse();
};

// The name of a GGUF value type; "unknown" past the last one.
const char* gguf_type_name(GgufType type) noexcept;
// Bytes of one value: 0 for strings, arrays and unknown types.
size_t gguf_type_bytes(GgufType type) noexcept;

}  // namespace e4j
