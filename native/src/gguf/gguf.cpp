#include "gguf/gguf.h"

#include <cstring>

#include "base/status.h"
#include "gguf/state.h"
#include "gguf/utf8.h"

namespace e4j {
namespace {

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

bool is_integer(GgufType type) {
  switch (type) {
    case GgufType::U8:
    case GgufType::I8:
    case GgufType::U16:
    case GgufType::I16:
    case GgufType::U32:
    case GgufType::I32:
    case GgufType::U64:
    case GgufType::I64: return true;
    default: return false;
  }
}

// The integer of that type; a u64 above 2^63-1 comes out negative.
int64_t load_integer(GgufType type, const std::byte* at) {
  switch (type) {
    case GgufType::U8: return load<uint8_t>(at);
    case GgufType::I8: return load<int8_t>(at);
    case GgufType::U16: return load<uint16_t>(at);
    case GgufType::I16: return load<int16_t>(at);
    case GgufType::U32: return load<uint32_t>(at);
    case GgufType::I32: return load<int32_t>(at);
    default: return load<int64_t>(at);
  }
}

std::string described(const GgufValue& value) {
  if (value.type != GgufType::Array) return gguf_type_name(value.type);
  return "an array of " + std::to_string(value.count) + " " + gguf_type_name(value.element_type);
}

[[noreturn]] void mismatch(const std::string& path, const GgufValue& value, const char* expected) {
  throw Error(E4J_BAD_FORMAT,
              path + ": key '" + shortened(value.key) + "' is " + described(value) + ", expected " + expected);
}

int64_t fitting_integer(const std::string& path, const GgufValue& value, GgufType type, const std::byte* at) {
  const int64_t integer = load_integer(type, at);
  if (type == GgufType::U64 && integer < 0)
    throw Error(E4J_BAD_FORMAT, path + ": key '" + shortened(value.key) + "' holds " +
                                    std::to_string(load<uint64_t>(at)) + ", expected at most 2^63-1");
  return integer;
}

const GgufValue& required(const GgufFile& file, std::string_view key, const char* expected) {
  if (const GgufValue* value = file.find(key)) return *value;
  throw Error(E4J_BAD_FORMAT, file.path() + ": key '" + shortened(key) + "' is missing, expected " + expected);
}

}  // namespace

const char* gguf_type_name(GgufType type) noexcept {
  static constexpr const char* kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                           "bool", "string", "array", "u64", "i64", "f64"};
  const auto number = static_cast<int32_t>(type);
  return number >= 0 && number < 13 ? kNames[number] : "unknown";
}

size_t gguf_type_bytes(GgufType type) noexcept {
  static constexpr size_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  const auto number = static_cast<int32_t>(type);
  return number >= 0 && number < 13 ? kBytes[number] : 0;
}

GgufFile::GgufFile(std::unique_ptr<State> state) : state_(std::move(state)) {
  try {
    state_->parse();
  } catch (const Error& e) {
    throw Error(e.status(), state_->path + ": " + e.what());
  }
}
GgufFile::~GgufFile() = default;

std::unique_ptr<GgufFile> GgufFile::open(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->mapping.emplace(path);
  state->bytes = state->mapping->data();
  state->size = state->mapping->size();
  return std::unique_ptr<GgufFile>(new GgufFile(std::move(state)));
}

std::unique_ptr<GgufFile> GgufFile::parse(const std::byte* bytes, size_t size, const std::string& name) {
  auto state = std::make_unique<State>();
  state->path = name;
  state->bytes = bytes;
  state->size = size;
  return std::unique_ptr<GgufFile>(new GgufFile(std::move(state)));
}

const std::string& GgufFile::path() const { return state_->path; }
uint32_t GgufFile::alignment() const { return state_->alignment; }
uint64_t GgufFile::file_bytes() const { return state_->size; }
uint64_t GgufFile::data_offset() const { return state_->data_offset; }
const std::vector<GgufValue>& GgufFile::values() const { return state_->values; }
const std::vector<GgufTensor>& GgufFile::tensors() const { return state_->tensors; }

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto found = state_->value_index.find(key);
  return found == state_->value_index.end() ? nullptr : &state_->values[found->second];
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto found = state_->tensor_index.find(name);
  return found == state_->tensor_index.end() ? nullptr : &state_->tensors[found->second];
}

int64_t GgufFile::integer(std::string_view key) const {
  const GgufValue& value = required(*this, key, "an integer");
  if (!is_integer(value.type)) mismatch(path(), value, "an integer");
  return fitting_integer(path(), value, value.type, value.value);
}

double GgufFile::number(std::string_view key) const {
  const GgufValue& value = required(*this, key, "a number");
  if (value.type == GgufType::F32) return static_cast<double>(load<float>(value.value));
  if (value.type == GgufType::F64) return load<double>(value.value);
  if (!is_integer(value.type)) mismatch(path(), value, "a number");
  return static_cast<double>(fitting_integer(path(), value, value.type, value.value));
}

std::string GgufFile::string(std::string_view key) const {
  const GgufValue& value = required(*this, key, "a string");
  if (value.type != GgufType::String) mismatch(path(), value, "a string");
  return {reinterpret_cast<const char*>(value.value), value.value_bytes};
}

bool GgufFile::boolean(std::string_view key) const {
  const GgufValue& value = required(*this, key, "a bool");
  if (value.type != GgufType::Bool) mismatch(path(), value, "a bool");
  return load<uint8_t>(value.value) != 0;
}

std::vector<int64_t> GgufFile::integers(std::string_view key) const {
  const GgufValue& value = required(*this, key, "an array of integers");
  if (value.type != GgufType::Array || !is_integer(value.element_type))
    mismatch(path(), value, "an array of integers");
  const size_t bytes = gguf_type_bytes(value.element_type);
  std::vector<int64_t> out(value.count);
  for (uint64_t i = 0; i < value.count; ++i)
    out[i] = fitting_integer(path(), value, value.element_type, value.value + i * bytes);
  return out;
}

bool GgufFile::in_place() const { return state_->in_place; }

void GgufFile::release(const GgufTensor& tensor) const noexcept {
  if (state_->mapping && !state_->in_place) state_->mapping->release(tensor.data, tensor.data_bytes);
}

void GgufFile::check_whole() const {
  if (state_->mapping && state_->mapping->lost())
    fail(E4J_IO_ERROR, "%s: the file was cut short, or its disk failed, while it was in use", path().c_str());
}

}  // namespace e4j
