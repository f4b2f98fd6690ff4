#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/status.h"
#include "gguf/gguf_bytes.h"
#include "test.h"

using namespace e4j;

namespace {

struct TemporaryFile {
  std::string path = (std::filesystem::temp_directory_path() / "e4j-XXXXXX").string();
  explicit TemporaryFile(const std::vector<std::byte>& bytes) {
    ::close(::mkstemp(path.data()));
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
};

std::vector<std::byte> model() {
  return GgufBytes()
      .string("general.architecture", "qwen2vl")
      .array<int32_t>("sections", GgufType::I32, {16, 24, 24, 0})
      .tensor("w", DType::Q8_0, {64, 3})
      .bytes();
}

template <class T>
T sized() {
  T s{};
  s.struct_size = sizeof s;
  return s;
}

}  // namespace

TEST(a_file_is_seen_through_the_c_functions) {
  const auto bytes = model();
  const TemporaryFile file(bytes);
  auto error = sized<e4j_error>();
  e4j_gguf* gguf = nullptr;
  CHECK_EQ(e4j_gguf_open(file.path.c_str(), &gguf, &error), E4J_OK);

  auto info = sized<e4j_gguf_info>();
  CHECK_EQ(e4j_gguf_get_info(gguf, &info, &error), E4J_OK);
  CHECK_EQ(info.version, 3u);
  CHECK_EQ(info.alignment, 32u);
  CHECK_EQ(info.file_bytes, bytes.size());
  CHECK_EQ(info.num_kv, 2u);
  CHECK_EQ(info.num_tensors, 1u);

  auto kv = sized<e4j_gguf_kv>();
  CHECK_EQ(e4j_gguf_get_kv(gguf, 0, &kv, &error), E4J_OK);
  CHECK(std::string(kv.key, kv.key_bytes) == "general.architecture");
  CHECK(std::string(static_cast<const char*>(kv.value), kv.value_bytes) == "qwen2vl");
  CHECK_EQ(kv.type, 8);
  CHECK_EQ(kv.element_type, -1);
  CHECK_EQ(kv.count, 1u);
  CHECK_EQ(e4j_gguf_get_kv(gguf, 1, &kv, &error), E4J_OK);
  CHECK_EQ(kv.type, 9);
  CHECK_EQ(kv.element_type, 5);
  CHECK_EQ(kv.count, 4u);
  CHECK_EQ(kv.value_bytes, 16u);

  auto tensor = sized<e4j_gguf_tensor>();
  CHECK_EQ(e4j_gguf_get_tensor(gguf, 0, &tensor, &error), E4J_OK);
  CHECK(std::string(tensor.name, tensor.name_bytes) == "w");
  CHECK_EQ(tensor.type, 8);
  CHECK_EQ(tensor.num_dims, 2u);
  CHECK(tensor.dims[0] == 64 && tensor.dims[1] == 3 && tensor.dims[2] == 1 && tensor.dims[3] == 1);
  CHECK_EQ(tensor.data_bytes, 3u * 68);
  CHECK(std::memcmp(tensor.data, bytes.data() + info.data_offset, tensor.data_bytes) == 0);

  CHECK_EQ(e4j_gguf_get_kv(gguf, 2, &kv, &error), E4J_INVALID_ARGUMENT);
  CHECK(std::string(error.message).find("index 2, the file has 2 keys") != std::string::npos);
  CHECK_EQ(e4j_gguf_get_tensor(gguf, UINT64_MAX, &tensor, &error), E4J_INVALID_ARGUMENT);
  CHECK(std::string(error.message).find("the file has 1 tensors") != std::string::npos);
  info.struct_size -= 1;
  kv.struct_size = 0;
  tensor.struct_size += 1;
  CHECK_EQ(e4j_gguf_get_info(gguf, &info, &error), E4J_INVALID_ARGUMENT);
  CHECK_EQ(e4j_gguf_get_kv(gguf, 0, &kv, &error), E4J_INVALID_ARGUMENT);
  CHECK_EQ(e4j_gguf_get_tensor(gguf, 0, &tensor, &error), E4J_INVALID_ARGUMENT);
  CHECK_EQ(e4j_gguf_get_info(gguf, nullptr, &error), E4J_INVALID_ARGUMENT);
  e4j_gguf_close(gguf);
}

TEST(null_handles_are_errors) {
  auto error = sized<e4j_error>();
  auto info = sized<e4j_gguf_info>();
  auto kv = sized<e4j_gguf_kv>();
  auto tensor = sized<e4j_gguf_tensor>();
  e4j_gguf* gguf = nullptr;
  CHECK_EQ(e4j_gguf_open(nullptr, &gguf, &error), E4J_INVALID_ARGUMENT);
  CHECK(std::string(error.message) == "path is NULL");
  CHECK_EQ(e4j_gguf_open("x", nullptr, &error), E4J_INVALID_ARGUMENT);
  CHECK_EQ(e4j_gguf_get_info(nullptr, &info, &error), E4J_INVALID_ARGUMENT);
  CHECK_EQ(e4j_gguf_get_kv(nullptr, 0, &kv, &error), E4J_INVALID_ARGUMENT);
  CHECK_EQ(e4j_gguf_get_tensor(nullptr, 0, &tensor, nullptr), E4J_INVALID_ARGUMENT);
  e4j_gguf_close(nullptr);
}

TEST(a_file_that_is_no_model_leaves_no_handle) {
  auto error = sized<e4j_error>();
  auto* gguf = reinterpret_cast<e4j_gguf*>(&error);
  CHECK_EQ(e4j_gguf_open("/no/such/file.gguf", &gguf, &error), E4J_IO_ERROR);
  CHECK(gguf == nullptr && std::string(error.message).starts_with("/no/such/file.gguf: "));
  auto bytes = model();
  bytes.erase(bytes.end() - 40, bytes.end());
  const TemporaryFile cut(bytes);
  CHECK_EQ(e4j_gguf_open(cut.path.c_str(), &gguf, &error), E4J_BAD_FORMAT);
  CHECK(std::string(error.message).starts_with(cut.path + ": tensor 'w': data of 204 bytes"));
  CHECK(gguf == nullptr);
}
