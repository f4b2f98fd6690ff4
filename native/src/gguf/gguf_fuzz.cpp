// Any bytes parse or fail with a status, and every view of a parsed file lies inside it.
#include "base/status.h"
#include "fuzz.h"
#include "gguf/gguf_bytes.h"

using namespace e4j;

namespace {

void require(bool holds) {
  if (!holds) __builtin_trap();
}

volatile uint8_t sink;

class Walk {
 public:
  Walk(const uint8_t* bytes, size_t size) : begin_(reinterpret_cast<const std::byte*>(bytes)), size_(size) {}

  void file() {
    const auto gguf = GgufFile::parse(begin_, size_, "fuzz");
    require(gguf->data_offset() <= size_ && gguf->file_bytes() == size_);
    for (const GgufValue& value : gguf->values()) {
      view(reinterpret_cast<const std::byte*>(value.key.data()), value.key.size());
      view(value.value, value.value_bytes);
      require(gguf->find(value.key) == &value);
      if (value.type == GgufType::Array && value.element_type == GgufType::String) strings(value);
      getters(*gguf, value.key);
    }
    for (const GgufTensor& tensor : gguf->tensors()) {
      view(reinterpret_cast<const std::byte*>(tensor.name.data()), tensor.name.size());
      view(tensor.data, tensor.data_bytes);
      require(tensor.data_bytes > 0 && tensor.data >= begin_ + gguf->data_offset());
      require(tensor.data_bytes == (tensor.packed ? packed_bytes(tensor.type, static_cast<int64_t>(tensor.dims[1]), static_cast<int64_t>(tensor.dims[0]))
                                                  : row_bytes(tensor.type, static_cast<int64_t>(tensor.dims[0])) * tensor.dims[1] *
                                                        tensor.dims[2] * tensor.dims[3]));
      require(gguf->find_tensor(tensor.name) == &tensor);
      gguf->release(tensor);
    }
  }

 private:
  void view(const std::byte* data, size_t bytes) const {
    require(data >= begin_ && data <= begin_ + size_ && bytes <= static_cast<size_t>(begin_ + size_ - data));
    if (bytes == 0) return;
    sink = static_cast<uint8_t>(data[0]);
    sink = static_cast<uint8_t>(data[bytes - 1]);
  }

  void strings(const GgufValue& value) const {
    const std::byte* at = value.value;
    for (uint64_t i = 0; i < value.count; ++i) {
      uint64_t length;
      std::memcpy(&length, at, sizeof length);
      view(at + sizeof length, length);
      at += sizeof length + length;
    }
    require(at == value.value + value.value_bytes);
  }

  static void getters(const GgufFile& gguf, std::string_view key) {
    const auto tried = [](auto&& get) {
      try {
        get();
      } catch (const Error& e) {
        require(e.status() == E4J_BAD_FORMAT);
      }
    };
    tried([&] { gguf.integer(key); });
    tried([&] { gguf.number(key); });
    tried([&] { gguf.string(key); });
    tried([&] { gguf.boolean(key); });
    tried([&] { gguf.integers(key); });
  }

  const std::byte* begin_;
  size_t size_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  try {
    Walk(bytes, size).file();
  } catch (const Error& e) {
    require(e.status() == E4J_BAD_FORMAT || e.status() == E4J_UNSUPPORTED);
  }
  return 0;
}

std::vector<std::vector<std::byte>> fuzz_seeds() {
  GgufBytes small;
  small.string("k", "v").tensor("w", DType::F32, {2});
  GgufBytes full;
  full.alignment = 8;
  full.scalar<uint32_t>("general.alignment", GgufType::U32, 8)
      .string("general.architecture", "qwen2vl")
      .scalar<uint64_t>("u64", GgufType::U64, 7)
      .scalar<double>("f64", GgufType::F64, 0.5)
      .scalar<uint8_t>("bool", GgufType::Bool, 1)
      .array<int16_t>("i16s", GgufType::I16, {-1, 2, 3})
      .array<uint8_t>("bools", GgufType::Bool, {0, 1})
      .array<std::string>("tokens", GgufType::String, {"a", "", "b\xc3\xa9"})
      .tensor("norm", DType::F16, {3})
      .tensor("q8", DType::Q8_0, {32, 2})
      .tensor("q6", DType::Q6_K, {256, 1, 1, 2});
  GgufBytes panels;
  panels.alignment = 64;
  panels.scalar<uint32_t>("general.alignment", GgufType::U32, 64).packed("w", 3, 17, std::vector<float>(51, 1.0f)).tensor("v", DType::F32, {2});
  return {small.bytes(), full.bytes(), panels.bytes()};
}
