#include "gguf/gguf.h"

#include "gguf/gguf_bytes.h"
#include "gguf/utf8.h"
#include "test.h"

using namespace e4j;

namespace {

// Keeps the bytes beside the view over them.
struct Parsed {
  std::vector<std::byte> bytes;
  std::unique_ptr<GgufFile> file;
  explicit Parsed(std::vector<std::byte> b) : bytes(std::move(b)), file(GgufFile::parse(bytes.data(), bytes.size(), "m")) {}
  explicit Parsed(const GgufBytes& b) : Parsed(b.bytes()) {}
  const GgufFile* operator->() const { return file.get(); }
};

GgufBytes model() {
  GgufBytes b;
  b.string("general.architecture", "qwen2vl")
      .scalar<uint32_t>("u32", GgufType::U32, 7)
      .scalar<int8_t>("i8", GgufType::I8, -3)
      .scalar<uint64_t>("huge", GgufType::U64, ~uint64_t{0})
      .scalar<float>("f32", GgufType::F32, 1.5f)
      .scalar<double>("f64", GgufType::F64, 2.5)
      .scalar<uint8_t>("yes", GgufType::Bool, 1)
      .array<int32_t>("sections", GgufType::I32, {16, 24, 24, 0})
      .array<uint64_t>("counts", GgufType::U64, {1, ~uint64_t{0}})
      .array<std::string>("tokens", GgufType::String, {"a", "", "bcd"})
      .array<float>("empty", GgufType::F32, {})
      .tensor("norm.weight", DType::F32, {5})
      .tensor("blk.0.w", DType::Q8_0, {64, 3})
      .tensor("blk.1.w", DType::Q4_K, {256, 2, 2});
  return b;
}

// Overwrites sizeof(T) bytes that follow `text` by `gap` bytes.
template <class T>
std::vector<std::byte> with(std::vector<std::byte> bytes, std::string_view text, size_t gap, T value) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::memcpy(bytes.data() + all.find(text) + text.size() + gap, &value, sizeof value);
  return bytes;
}

}  // namespace

TEST(values_are_read_by_type) {
  const Parsed m(model());
  CHECK(m->string("general.architecture") == "qwen2vl");
  CHECK_EQ(m->integer("u32"), 7);
  CHECK_EQ(m->integer("i8"), -3);
  CHECK_EQ(m->number("u32"), 7.0);
  CHECK_EQ(m->number("f32"), 1.5);
  CHECK_EQ(m->number("f64"), 2.5);
  CHECK(m->boolean("yes"));
  CHECK((m->integers("sections") == std::vector<int64_t>{16, 24, 24, 0}));
  CHECK_EQ(m->find("tokens")->count, 3u);
  CHECK_EQ(m->find("tokens")->value_bytes, 3u * 8 + 4);
  CHECK_EQ(m->find("empty")->count, 0u);
  CHECK(m->find("absent") == nullptr);
  CHECK_EQ(m->values().size(), 11u);
  CHECK_EQ(m->file_bytes(), m.bytes.size());
}

TEST(a_value_of_another_type_is_named) {
  const Parsed m(model());
  CHECK_THROWS(m->integer("f32"), E4J_BAD_FORMAT, "m: key 'f32' is f32, expected an integer");
  CHECK_THROWS(m->integer("huge"), E4J_BAD_FORMAT, "18446744073709551615");
  CHECK_THROWS(m->integer("absent"), E4J_BAD_FORMAT, "m: key 'absent' is missing, expected an integer");
  CHECK_THROWS(m->number("yes"), E4J_BAD_FORMAT, "is bool, expected a number");
  CHECK_THROWS(m->string("u32"), E4J_BAD_FORMAT, "is u32, expected a string");
  CHECK_THROWS(m->boolean("u32"), E4J_BAD_FORMAT, "is u32, expected a bool");
  CHECK_THROWS(m->integers("tokens"), E4J_BAD_FORMAT, "is an array of 3 string, expected an array of integers");
  CHECK_THROWS(m->integers("empty"), E4J_BAD_FORMAT, "is an array of 0 f32");
  CHECK_THROWS(m->integers("u32"), E4J_BAD_FORMAT, "is u32");
  CHECK_THROWS(m->integers("counts"), E4J_BAD_FORMAT, "2^63-1");
}

TEST(tensors_are_views_into_the_file) {
  const Parsed m(model());
  const GgufTensor* w = m->find_tensor("blk.1.w");
  CHECK(w != nullptr && w->type == DType::Q4_K && w->num_dims == 3);
  CHECK_EQ(w->dims[0], 256u);
  CHECK_EQ(w->dims[2], 2u);
  CHECK_EQ(w->dims[3], 1u);
  CHECK_EQ(w->data_bytes, 4u * 144);
  CHECK(w->data + w->data_bytes == m.bytes.data() + m.bytes.size());
  CHECK(m->tensors()[0].data == m.bytes.data() + m->data_offset());
  CHECK_EQ(m->data_offset() % 32, 0u);
  CHECK(m->find_tensor("blk.2.w") == nullptr);
  m->release(*w);  // bytes in memory: nothing to release
}

TEST(the_header_is_checked) {
  const auto good = model().bytes();
  CHECK_THROWS(Parsed(std::vector<std::byte>{}), E4J_BAD_FORMAT, "m: the header: the magic needs 4 bytes");
  auto bytes = good;
  bytes[0] = std::byte{'P'};
  CHECK_THROWS(Parsed(bytes), E4J_BAD_FORMAT, "not a GGUF file: it starts with bytes 50 47 55 46");
  CHECK_THROWS(Parsed(with<uint32_t>(good, "GGUF", 0, 2)), E4J_UNSUPPORTED, "GGUF version 2, expected version 3");
  CHECK_THROWS(Parsed(with<uint32_t>(good, "GGUF", 0, 4)), E4J_UNSUPPORTED, "GGUF version 4");
  CHECK_THROWS(Parsed(with<uint32_t>(good, "GGUF", 0, 0x03000000)), E4J_UNSUPPORTED, "big-endian");
}

TEST(counts_beyond_the_file_fail_before_allocation) {
  const auto good = model().bytes();
  for (const uint64_t n : {uint64_t{1} << 60, ~uint64_t{0}, uint64_t{1} << 33}) {
    CHECK_THROWS(Parsed(with(good, "GGUF", 4, n)), E4J_BAD_FORMAT, "the number of tensors is");
    CHECK_THROWS(Parsed(with(good, "GGUF", 12, n)), E4J_BAD_FORMAT, "the number of keys is");
    CHECK_THROWS(Parsed(with(good, "tokens", 8, n)), E4J_BAD_FORMAT, "key 'tokens': the number of strings is");
    CHECK_THROWS(Parsed(with(good, "sections", 8, n)), E4J_BAD_FORMAT, "key 'sections': the number of elements is");
    CHECK_THROWS(Parsed(with(good, "tokens", 16, n)), E4J_BAD_FORMAT, "key 'tokens': a string of the array needs");
    CHECK_THROWS(Parsed(with(good, "general.architecture", 4, n)), E4J_BAD_FORMAT, "the string needs");
  }
}

TEST(value_types_are_checked) {
  const auto good = model().bytes();
  CHECK_THROWS(Parsed(with<int32_t>(good, "u32", 0, 13)), E4J_BAD_FORMAT, "value type 13 is unknown");
  CHECK_THROWS(Parsed(with<int32_t>(good, "u32", 0, -1)), E4J_BAD_FORMAT, "value type -1 is unknown");
  CHECK_THROWS(Parsed(with<int32_t>(good, "sections", 4, 9)), E4J_UNSUPPORTED, "an array of arrays");
  CHECK_THROWS(Parsed(with<int32_t>(good, "sections", 4, 99)), E4J_BAD_FORMAT, "element type 99 is unknown");
  CHECK_THROWS(Parsed(with<uint8_t>(good, "yes", 4, 2)), E4J_BAD_FORMAT, "bool 0 is 2, expected 0 or 1");
  CHECK_THROWS(Parsed(GgufBytes().array<uint8_t>("b", GgufType::Bool, {0, 1, 7})), E4J_BAD_FORMAT, "bool 2 is 7");
}

TEST(keys_and_names_are_checked) {
  const auto key = [](std::string_view k) { return GgufBytes().string(k, "v"); };
  CHECK_THROWS(Parsed(key("")), E4J_BAD_FORMAT, "key 0: the key has 0 bytes, expected 1 to 65535");
  CHECK_THROWS(Parsed(key(std::string(65536, 'k'))), E4J_BAD_FORMAT, "65536 bytes");
  CHECK(Parsed(key(std::string(65535, 'k')))->values().size() == 1);
  CHECK_THROWS(Parsed(key("a\xff")), E4J_BAD_FORMAT, "key 0: the key is not printable UTF-8");
  CHECK_THROWS(Parsed(key(std::string_view("a\0b", 3))), E4J_BAD_FORMAT, "not printable");
  CHECK_THROWS(Parsed(key("k").string("k", "w")), E4J_BAD_FORMAT, "key 'k' appears twice");

  const auto name = [](std::string_view n) { return GgufBytes().tensor(n, DType::F32, {1}); };
  CHECK_THROWS(Parsed(name("")), E4J_BAD_FORMAT, "tensor 0: the name has 0 bytes, expected 1 to 64");
  CHECK_THROWS(Parsed(name(std::string(65, 'n'))), E4J_BAD_FORMAT, "65 bytes");
  CHECK(Parsed(name(std::string(64, 'n')))->tensors().size() == 1);
  CHECK_THROWS(Parsed(name("\xc0\xaf")), E4J_BAD_FORMAT, "tensor 0: the name is not printable UTF-8");
  CHECK_THROWS(Parsed(name("w").tensor("w", DType::F32, {1})), E4J_BAD_FORMAT, "tensor 'w' appears twice");
}

TEST(utf8_is_well_formed_and_printable) {
  for (const char* good : {"plain", "é", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"})
    CHECK(is_printable_utf8(good));
  for (const char* bad : {"\x1b[2J", "\x7f", "\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xc3", "\xe2\x82x"})
    CHECK(!is_printable_utf8(bad));
  CHECK(shortened("short") == "short");
  std::string text = "x";
  while (text.size() < 200) text += "é";
  CHECK(is_printable_utf8(shortened(text)) && shortened(text).size() == 95 + 3);
}

TEST(shapes_are_checked) {
  const auto shape = [](std::initializer_list<uint64_t> dims, DType type = DType::F32) {
    return GgufBytes().tensor("w", static_cast<int32_t>(type), dims, 0, 64);
  };
  CHECK_THROWS(Parsed(shape({})), E4J_BAD_FORMAT, "tensor 'w': 0 dimensions, expected 1 to 4");
  CHECK_THROWS(Parsed(shape({1, 1, 1, 1, 1})), E4J_BAD_FORMAT, "tensor 'w': 5 dimensions");
  CHECK_THROWS(Parsed(shape({4, 0})), E4J_BAD_FORMAT, "tensor 'w': dimension 1 is 0");
  CHECK_THROWS(Parsed(shape({uint64_t{1} << 63})), E4J_BAD_FORMAT, "dimension 0 is 9223372036854775808");
  const uint64_t k32 = uint64_t{1} << 32;
  CHECK_THROWS(Parsed(shape({2, k32, k32})), E4J_BAD_FORMAT, "the product of its dimensions overflows");
  CHECK_THROWS(Parsed(shape({k32, k32})), E4J_BAD_FORMAT, "the product of its dimensions overflows");
  CHECK_THROWS(Parsed(shape({uint64_t{1} << 62})), E4J_BAD_FORMAT, "the product of its dimensions overflows");
  CHECK_THROWS(Parsed(shape({k32, k32 / 8})), E4J_BAD_FORMAT, "tensor 'w': data of 9223372036854775808 bytes");
  CHECK_THROWS(Parsed(shape({33}, DType::Q8_0)), E4J_BAD_FORMAT,
               "rows of 33 values, expected a multiple of 32 for type Q8_0");
  CHECK_THROWS(Parsed(shape({128, 2}, DType::Q6_K)), E4J_BAD_FORMAT, "expected a multiple of 256 for type Q6_K");
}

TEST(unsupported_types_are_named) {
  const auto type = [](int32_t t) { return GgufBytes().tensor("blk.0.w", t, {256}, 0, 1024); };
  CHECK_THROWS(Parsed(type(23)), E4J_UNSUPPORTED,
               "tensor 'blk.0.w' has type IQ4_XS (23), which this library does not read; supported: F32, F16");
  CHECK_THROWS(Parsed(type(2)), E4J_UNSUPPORTED, "Q4_0 (2)");
  CHECK_THROWS(Parsed(type(43)), E4J_UNSUPPORTED, "unknown (43)");
  CHECK_THROWS(Parsed(type(-1)), E4J_UNSUPPORTED, "unknown (-1)");
}

TEST(data_ranges_lie_in_the_file_and_apart) {
  const auto placed = [](uint64_t offset) { return GgufBytes().tensor("w", 0, {8}, offset, 64); };
  CHECK(Parsed(placed(32))->tensors().size() == 1);
  CHECK_THROWS(Parsed(placed(8)), E4J_BAD_FORMAT, "data offset 8 is not a multiple of the alignment 32");
  CHECK_THROWS(Parsed(placed(64)), E4J_BAD_FORMAT, "ends past the file");
  CHECK_THROWS(Parsed(placed(~uint64_t{31})), E4J_BAD_FORMAT, "ends past the file");
  GgufBytes two;
  two.tensor("a", 0, {9}, 0, 64).tensor("b", 0, {8}, 32, 0);
  CHECK_THROWS(Parsed(two), E4J_BAD_FORMAT, "the data of tensors 'a' and 'b' overlaps");
  GgufBytes swapped;  // any order in the file is fine
  swapped.tensor("a", 0, {8}, 32, 64).tensor("b", 0, {8}, 0, 0);
  const Parsed m(swapped);
  CHECK_EQ(m->tensors()[0].data - m->tensors()[1].data, ptrdiff_t{32});
  auto cut = placed(0).bytes();
  cut.erase(cut.end() - 33, cut.end());
  CHECK_THROWS(Parsed(cut), E4J_BAD_FORMAT, "ends past the file");
}

TEST(alignment_is_a_power_of_two_from_8) {
  const auto aligned = [](uint32_t alignment) {
    GgufBytes b;
    b.alignment = alignment;
    return b.scalar("general.alignment", GgufType::U32, alignment).tensor("a", DType::F32, {1}).tensor("b", DType::F32, {1});
  };
  for (const uint32_t good : {8u, 16u, 64u, 4096u}) {
    const Parsed m(aligned(good));
    CHECK_EQ(m->alignment(), good);
    CHECK_EQ(m->data_offset() % good, 0u);
    CHECK_EQ(m->tensors()[1].data - m->tensors()[0].data, static_cast<ptrdiff_t>(good));
  }
  for (const uint32_t bad : {0u, 1u, 4u, 24u, 48u})
    CHECK_THROWS(Parsed(GgufBytes().scalar("general.alignment", GgufType::U32, bad)), E4J_BAD_FORMAT,
                 "expected a power of two of at least 8");
  CHECK_THROWS(Parsed(GgufBytes().scalar<uint64_t>("general.alignment", GgufType::U64, 32)), E4J_BAD_FORMAT,
               "'general.alignment' is u64, expected u32");
  CHECK_THROWS(Parsed(with<uint32_t>(aligned(8).bytes(), "alignment", 4, 1u << 31)), E4J_BAD_FORMAT, "the padding");
}

TEST(packed_matrices_are_checked) {
  const auto packed = [](int32_t type, std::initializer_list<uint64_t> dims, uint64_t offset, uint32_t alignment = 64) {
    GgufBytes b;
    b.alignment = alignment;
    return b.scalar("general.alignment", GgufType::U32, alignment).tensor("w", kPackedType + type, dims, offset, 10000);
  };
  const Parsed m(packed(8, {32, 17}, 64));
  const GgufTensor& w = m->tensors()[0];
  CHECK(w.packed && w.type == DType::Q8_0 && w.dims[0] == 32 && w.dims[1] == 17 && m->in_place());
  CHECK_EQ(w.data_bytes, 2u * (256 + 4096));  // panels of 16 rows, of one chunk each
  CHECK(!Parsed(model())->in_place());
  CHECK_THROWS(Parsed(packed(8, {32, 33}, 0)), E4J_BAD_FORMAT, "tensor 'w': data of 13056 bytes at offset 128 ends past the file");
  CHECK_THROWS(Parsed(packed(8, {33, 2}, 0)), E4J_BAD_FORMAT, "rows of 33 values");
  CHECK_THROWS(Parsed(packed(0, {32}, 0)), E4J_BAD_FORMAT, "1 dimensions, expected the 2 of a packed matrix");
  CHECK_THROWS(Parsed(packed(0, {2, 2, 2}, 0)), E4J_BAD_FORMAT, "3 dimensions");
  const uint64_t k31 = uint64_t{1} << 31;
  CHECK_THROWS(Parsed(packed(0, {k31, 1}, 0)), E4J_BAD_FORMAT, "too large for a packed matrix");
  CHECK_THROWS(Parsed(packed(0, {1, k31}, 0)), E4J_BAD_FORMAT, "too large for a packed matrix");
  CHECK_THROWS(Parsed(packed(0, {k31 - 1, k31 - 1}, 0)), E4J_BAD_FORMAT, "too large for a packed matrix");
  CHECK_THROWS(Parsed(packed(2, {32, 1}, 0)), E4J_UNSUPPORTED, "unknown (1073741826)");
  int apart = 0;  // of the places that 32-byte alignment allows, one in two is right
  for (const uint64_t offset : {0, 32}) try {
      Parsed(packed(0, {4, 4}, offset, 32));
    } catch (const Error& e) {
      apart += std::strstr(e.what(), "which is not a multiple of 64") != nullptr;
    }
  CHECK_EQ(apart, 1);
}

TEST(a_file_of_keys_alone_is_fine) {
  const Parsed m(GgufBytes().string("k", "v"));
  CHECK_EQ(m->values().size(), 1u);
  CHECK(m->tensors().empty());
}

TEST(a_missing_file_is_an_io_error) {
  CHECK_THROWS(GgufFile::open("/no/such/model.gguf"), E4J_IO_ERROR, "/no/such/model.gguf: open: No such file");
}
