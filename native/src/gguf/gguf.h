// A GGUF v3 file, memory-mapped and checked once: afterwards every view lies inside the file.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"

namespace e4j {

enum class GgufType : int32_t { U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64 };

struct GgufValue {
  std::string_view key;
  GgufType type;
  GgufType element_type;      // of an Array
  uint64_t count;             // elements of an Array; 1 otherwise
  const std::byte* value;     // possibly unaligned; layout as in e4j_gguf_kv
  uint64_t value_bytes;
};

struct GgufTensor {
  std::string_view name;
  DType type;
  uint32_t num_dims;
  uint64_t dims[4];           // fastest first; unused ones are 1
  const std::byte* data;      // [dims[3]][dims[2]][dims[1]][row_bytes(type, dims[0])] unless packed
  uint64_t data_bytes;
  bool packed = false;        // data is the panels of a matrix [dims[1]][dims[0]] (tensor/packed.h)
};

class GgufFile {
 public:
  // Fails with E4J_IO_ERROR, E4J_BAD_FORMAT or E4J_UNSUPPORTED; every message starts with the path.
  static std::unique_ptr<GgufFile> open(const std::string& path);
  // The same checks over bytes in memory (tests, fuzzing); `name` stands for the path; bytes must outlive the object.
  static std::unique_ptr<GgufFile> parse(const std::byte* bytes, size_t size, const std::string& name);
  ~GgufFile();

  const std::string& path() const;
  uint32_t alignment() const;
  uint64_t file_bytes() const;
  uint64_t data_offset() const;
  const std::vector<GgufValue>& values() const;
  const std::vector<GgufTensor>& tensors() const;

  const GgufValue* find(std::string_view key) const;         // nullptr when absent
  const GgufTensor* find_tensor(std::string_view name) const; // nullptr when absent

  // Typed access; fails with E4J_BAD_FORMAT naming file, key, what was found and what was expected.
  // Integers of any width are accepted when the value fits.
  int64_t integer(std::string_view key) const;
  double number(std::string_view key) const;                  // f32, f64 or an integer
  std::string string(std::string_view key) const;
  bool boolean(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key) const;  // an array of integers

  // Some tensor is packed: the file is made to be used where it is mapped, rather than copied out of.
  bool in_place() const;
  // Drops resident pages of the mapping that hold this tensor (after it was repacked elsewhere), unless the file is used in place.
  void release(const GgufTensor& tensor) const noexcept;
  // Fails with E4J_IO_ERROR when something of the file could not be read since it was opened (MappedFile::lost).
  void check_whole() const;

 private:
  struct State;
  explicit GgufFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace e4j
