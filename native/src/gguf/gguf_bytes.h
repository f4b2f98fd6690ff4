// Writes GGUF files in memory, wrong ones too: for tests and fuzz seeds.
#pragma once
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <vector>

#include "gguf/gguf.h"
#include "tensor/packed.h"

namespace e4j {

class GgufBytes {
 public:
  uint32_t version = 3;
  uint32_t alignment = 32;  // of the data; the key general.alignment is the caller's to add

  template <class T>
  GgufBytes& scalar(std::string_view key, GgufType type, T value) {
    entry(key, type);
    put(values_, value);
    return *this;
  }
  GgufBytes& string(std::string_view key, std::string_view value) {
    entry(key, GgufType::String);
    put_text(values_, value);
    return *this;
  }
  template <class T>
  GgufBytes& array(std::string_view key, GgufType element_type, const std::vector<T>& elements) {
    entry(key, GgufType::Array);
    put(values_, element_type);
    put(values_, static_cast<uint64_t>(elements.size()));
    for (const T& element : elements) {
      if constexpr (std::is_same_v<T, std::string>)
        put_text(values_, element);
      else
        put(values_, element);
    }
    return *this;
  }
  // Data of a size that suits the shape, placed at the next aligned offset.
  GgufBytes& tensor(std::string_view name, DType type, std::initializer_list<uint64_t> dims) {
    uint64_t rows = 1;
    for (const uint64_t* d = dims.begin() + 1; d < dims.end(); ++d) rows *= *d;
    return tensor(name, static_cast<int32_t>(type), dims, data_.size(),
                  rows * row_bytes(type, static_cast<int64_t>(*dims.begin())));
  }
  // Any type, offset and number of data bytes.
  GgufBytes& tensor(std::string_view name, int32_t type, std::initializer_list<uint64_t> dims, uint64_t offset,
                    uint64_t data_bytes) {
    put_text(infos_, name);
    put(infos_, static_cast<uint32_t>(dims.size()));
    for (const uint64_t d : dims) put(infos_, d);
    put(infos_, type);
    put(infos_, offset);
    for (uint64_t i = 0; i < data_bytes; ++i) data_ += static_cast<char>(data_.size() * 37 + 11);
    pad(data_);
    ++num_tensors_;
    return *this;
  }

  // Float32 values, fastest dimension first.
  GgufBytes& floats(std::string_view name, std::initializer_list<uint64_t> dims, const std::vector<float>& values) {
    const size_t at = data_.size();
    tensor(name, DType::F32, dims);
    std::memcpy(data_.data() + at, values.data(), values.size() * sizeof(float));
    return *this;
  }

  // A matrix of float32 values, packed; `alignment` must be a multiple of kPackedAlignment.
  GgufBytes& packed(std::string_view name, uint64_t cols, uint64_t rows, const std::vector<float>& values) {
    const size_t at = data_.size(), bytes = packed_bytes(DType::F32, static_cast<int64_t>(rows), static_cast<int64_t>(cols));
    tensor(name, kPackedType + static_cast<int32_t>(DType::F32), {cols, rows}, at, 0);
    data_.resize(at + bytes);
    pack_rows(DType::F32, reinterpret_cast<const std::byte*>(values.data()), static_cast<int>(rows), static_cast<int>(cols),
              reinterpret_cast<std::byte*>(data_.data() + at));
    pad(data_);
    return *this;
  }

  std::vector<std::byte> bytes() const {
    std::string out = "GGUF";
    put(out, version);
    put(out, num_tensors_);
    put(out, num_values_);
    out += values_ + infos_;
    pad(out);
    out += data_;
    std::vector<std::byte> bytes(out.size());
    std::memcpy(bytes.data(), out.data(), out.size());
    return bytes;
  }

 private:
  template <class T>
  static void put(std::string& to, T value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  static void put_text(std::string& to, std::string_view text) {
    put(to, static_cast<uint64_t>(text.size()));
    to += text;
  }
  void pad(std::string& to) const { to.resize((to.size() + alignment - 1) / alignment * alignment); }
  void entry(std::string_view key, GgufType type) {
    put_text(values_, key);
    put(values_, type);
    ++num_values_;
  }

  std::string values_, infos_, data_;
  uint64_t num_values_ = 0, num_tensors_ = 0;
};

}  // namespace e4j
