// The layout is ggml's docs/gguf.md, version 3: header, key-value pairs, tensor infos, padding, tensor data.
#include <algorithm>
#include <bit>

#include "gguf/cursor.h"
#include "gguf/state.h"
#include "gguf/utf8.h"
#include "tensor/packed.h"

namespace e4j {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF values are read in place");

constexpr uint32_t kVersion = 3;
constexpr size_t kMaxKeyBytes = 65535;  // docs/gguf.md
constexpr size_t kMaxNameBytes = 64;    // docs/gguf.md
constexpr size_t kLeastValueBytes = 8 + 1 + 4 + 1;           // key length, key, type, value
constexpr size_t kLeastTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // name length, name, num_dims, one dim, type, offset

using Ull = unsigned long long;

void read_header(Cursor& in) {
  in.enter("the header");
  const std::byte* magic = in.take(4, "the magic");
  if (std::memcmp(magic, "GGUF", 4) != 0)
    fail(E4J_BAD_FORMAT, "not a GGUF file: it starts with bytes %02x %02x %02x %02x, expected 47 47 55 46 (GGUF)",
         static_cast<unsigned>(magic[0]), static_cast<unsigned>(magic[1]), static_cast<unsigned>(magic[2]),
         static_cast<unsigned>(magic[3]));
  const auto version = in.read<uint32_t>("the version");
  if (version == kVersion) return;
  if ((version & 0xffffu) == 0)
    fail(E4J_UNSUPPORTED, "the GGUF file is big-endian (version field %#x), expected a little-endian file", version);
  fail(E4J_UNSUPPORTED, "GGUF version %u, expected version 3: convert the model again with a current converter", version);
}

std::string_view read_name(Cursor& in, const char* what, size_t limit) {
  const std::string_view name = in.text(what);
  if (name.empty() || name.size() > limit)
    fail(E4J_BAD_FORMAT, "%s: %s has %zu bytes, expected 1 to %zu", in.subject(), what, name.size(), limit);
  if (!is_printable_utf8(name))
    fail(E4J_BAD_FORMAT, "%s: %s is not printable UTF-8", in.subject(), what);
  return name;
}

void check_bools(const Cursor& in, const std::byte* value, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i)
    if (static_cast<uint8_t>(value[i]) > 1)
      fail(E4J_BAD_FORMAT, "%s: bool %llu is %u, expected 0 or 1", in.subject(), static_cast<Ull>(i),
           static_cast<unsigned>(value[i]));
}

void read_array(Cursor& in, GgufValue& value) {
  value.element_type = static_cast<GgufType>(in.read<int32_t>("the element type"));
  if (value.element_type == GgufType::Array)
    fail(E4J_UNSUPPORTED, "%s: an array of arrays, expected an array of numbers, bools or strings", in.subject());
  if (value.element_type == GgufType::String) {
    value.count = in.count("the number of strings", sizeof(uint64_t));
    const size_t start = in.position();
    value.value = in.take(0, "the strings");
    for (uint64_t i = 0; i < value.count; ++i) in.text("a string of the array");
    value.value_bytes = in.position() - start;
    return;
  }
  const size_t bytes = gguf_type_bytes(value.element_type);
  if (bytes == 0)
    fail(E4J_BAD_FORMAT, "%s: element type %d is unknown, expected 0 to 12", in.subject(),
         static_cast<int>(value.element_type));
  value.count = in.count("the number of elements", bytes);
  value.value_bytes = value.count * bytes;
  value.value = in.take(value.value_bytes, "the elements");
  if (value.element_type == GgufType::Bool) check_bools(in, value.value, value.count);
}

GgufValue read_value(Cursor& in, uint64_t index) {
  GgufValue value{};
  in.enter("key " + std::to_string(index));
  value.key = read_name(in, "the key", kMaxKeyBytes);
  in.enter("key '" + shortened(value.key) + "'");
  value.type = static_cast<GgufType>(in.read<int32_t>("the value type"));
  value.element_type = value.type;
  value.count = 1;
  if (value.type == GgufType::Array) {
    read_array(in, value);
  } else if (value.type == GgufType::String) {
    const std::string_view text = in.text("the string");
    value.value = reinterpret_cast<const std::byte*>(text.data());
    value.value_bytes = text.size();
  } else {
    value.value_bytes = gguf_type_bytes(value.type);
    if (value.value_bytes == 0)
      fail(E4J_BAD_FORMAT, "%s: value type %d is unknown, expected 0 to 12", in.subject(), static_cast<int>(value.type));
    value.value = in.take(value.value_bytes, "the value");
    if (value.type == GgufType::Bool) check_bools(in, value.value, 1);
  }
  return value;
}

uint32_t read_alignment(const GgufValue& value) {
  if (value.type != GgufType::U32)
    fail(E4J_BAD_FORMAT, "key 'general.alignment' is %s, expected u32", gguf_type_name(value.type));
  uint32_t alignment;
  std::memcpy(&alignment, value.value, sizeof alignment);
  if (!std::has_single_bit(alignment) || alignment < 8)
    fail(E4J_BAD_FORMAT, "key 'general.alignment' is %u, expected a power of two of at least 8", alignment);
  return alignment;
}

// Everything but the address of the data, which is not known before all infos were read; returns its offset.
uint64_t read_tensor(Cursor& in, uint64_t index, GgufTensor& tensor) {
  in.enter("tensor " + std::to_string(index));
  tensor.name = read_name(in, "the name", kMaxNameBytes);
  in.enter("tensor '" + std::string(tensor.name) + "'");
  tensor.num_dims = in.read<uint32_t>("the number of dimensions");
  if (tensor.num_dims < 1 || tensor.num_dims > 4)
    fail(E4J_BAD_FORMAT, "%s: %u dimensions, expected 1 to 4", in.subject(), tensor.num_dims);
  size_t rows = 1;
  for (uint32_t d = 0; d < 4; ++d) {
    tensor.dims[d] = d < tensor.num_dims ? in.read<uint64_t>("a dimension") : 1;
    if (tensor.dims[d] == 0 || tensor.dims[d] > INT64_MAX)
      fail(E4J_BAD_FORMAT, "%s: dimension %u is %llu, expected 1 to 2^63-1", in.subject(), d,
           static_cast<Ull>(tensor.dims[d]));
    if (d > 0 && __builtin_mul_overflow(rows, tensor.dims[d], &rows))
      fail(E4J_BAD_FORMAT, "%s: the product of its dimensions overflows", in.subject());
  }
  auto type = in.read<int32_t>("the type");
  tensor.packed = type >= kPackedType && dtype_supported(type - kPackedType);
  if (tensor.packed) type -= kPackedType;
  if (!dtype_supported(type))
    fail(E4J_UNSUPPORTED, "%s has type %s (%d), which this library does not read; supported: %s", in.subject(),
         ggml_type_name(type), type, kSupportedTypes);
  tensor.type = static_cast<DType>(type);
  const auto block = static_cast<uint64_t>(dtype_block(tensor.type));
  if (tensor.dims[0] % block != 0)
    fail(E4J_BAD_FORMAT, "%s: rows of %llu values, expected a multiple of %llu for type %s", in.subject(),
         static_cast<Ull>(tensor.dims[0]), static_cast<Ull>(block), dtype_name(tensor.type));
  if (tensor.packed) {
    if (tensor.num_dims != 2)
      fail(E4J_BAD_FORMAT, "%s: %u dimensions, expected the 2 of a packed matrix", in.subject(), tensor.num_dims);
    tensor.data_bytes = packed_bytes(tensor.type, static_cast<int64_t>(tensor.dims[1]), static_cast<int64_t>(tensor.dims[0]));
    if (tensor.data_bytes == 0) fail(E4J_BAD_FORMAT, "%s: its dimensions are too large for a packed matrix", in.subject());
    return in.read<uint64_t>("the data offset");
  }
  size_t bytes;
  if (__builtin_mul_overflow(tensor.dims[0] / block, static_cast<size_t>(dtype_block_bytes(tensor.type)), &bytes) ||
      __builtin_mul_overflow(bytes, rows, &bytes))
    fail(E4J_BAD_FORMAT, "%s: the product of its dimensions overflows", in.subject());
  tensor.data_bytes = bytes;
  return in.read<uint64_t>("the data offset");
}

// Two tensors over the same bytes: a file no converter writes, and a way to make a small file claim a huge model.
void check_disjoint(const std::vector<GgufTensor>& tensors) {
  std::vector<const GgufTensor*> order;
  order.reserve(tensors.size());
  for (const GgufTensor& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const GgufTensor* a, const GgufTensor* b) { return a->data < b->data; });
  for (size_t i = 1; i < order.size(); ++i)
    if (order[i - 1]->data + order[i - 1]->data_bytes > order[i]->data)
      fail(E4J_BAD_FORMAT, "the data of tensors '%s' and '%s' overlaps", std::string(order[i - 1]->name).c_str(),
           std::string(order[i]->name).c_str());
}

}  // namespace

void GgufFile::State::parse() {
  Cursor in(bytes, size);
  read_header(in);
  const uint64_t num_tensors = in.count("the number of tensors", kLeastTensorBytes);
  const uint64_t num_values = in.count("the number of keys", kLeastValueBytes);

  values.reserve(num_values);
  value_index.reserve(num_values);
  for (uint64_t i = 0; i < num_values; ++i) {
    values.push_back(read_value(in, i));
    if (!value_index.emplace(values.back().key, i).second) fail(E4J_BAD_FORMAT, "%s appears twice", in.subject());
  }
  if (const auto found = value_index.find("general.alignment"); found != value_index.end())
    alignment = read_alignment(values[found->second]);

  tensors.resize(num_tensors);
  tensor_index.reserve(num_tensors);
  std::vector<uint64_t> offsets(num_tensors);
  for (uint64_t i = 0; i < num_tensors; ++i) {
    offsets[i] = read_tensor(in, i, tensors[i]);
    in_place |= tensors[i].packed;
    if (!tensor_index.emplace(tensors[i].name, i).second) fail(E4J_BAD_FORMAT, "%s appears twice", in.subject());
  }

  data_offset = in.position();
  if (num_tensors == 0) return;  // a vocabulary alone need not be padded
  const uint64_t padding = (alignment - data_offset % alignment) % alignment;
  in.enter("the tensor data");
  in.take(padding, "the padding before it");
  data_offset += padding;
  for (uint64_t i = 0; i < num_tensors; ++i) {
    GgufTensor& tensor = tensors[i];
    if (offsets[i] % alignment != 0)
      fail(E4J_BAD_FORMAT, "tensor '%s': data offset %llu is not a multiple of the alignment %u",
           std::string(tensor.name).c_str(), static_cast<Ull>(offsets[i]), alignment);
    if (offsets[i] > size - data_offset || tensor.data_bytes > size - data_offset - offsets[i])
      fail(E4J_BAD_FORMAT, "tensor '%s': data of %llu bytes at offset %llu ends past the file, which has %zu bytes",
           std::string(tensor.name).c_str(), static_cast<Ull>(tensor.data_bytes),
           static_cast<Ull>(data_offset + offsets[i]), size);
    tensor.data = bytes + data_offset + offsets[i];
    if (tensor.packed && (data_offset + offsets[i]) % kPackedAlignment != 0)
      fail(E4J_BAD_FORMAT, "tensor '%s': packed data starts at byte %llu of the file, which is not a multiple of %zu",
           std::string(tensor.name).c_str(), static_cast<Ull>(data_offset + offsets[i]), kPackedAlignment);
  }
  check_disjoint(tensors);
}

}  // namespace e4j
