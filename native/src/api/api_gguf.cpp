#include <algorithm>

#include "api/guard.h"
#include "gguf/gguf.h"
#include "tensor/packed.h"

using namespace e4j;

static_assert(kPackedType == E4J_PACKED);

struct e4j_gguf {
  std::unique_ptr<GgufFile> file;
};

namespace {

template <class T>
const T& at(const GgufFile& file, const std::vector<T>& items, uint64_t index, const char* what) {
  if (index >= items.size())
    fail(E4J_INVALID_ARGUMENT, "%s: index %llu, the file has %zu %s", file.path().c_str(),
         static_cast<unsigned long long>(index), items.size(), what);
  return items[index];
}

}  // namespace

extern "C" e4j_status e4j_gguf_open(const char* path, e4j_gguf** out, e4j_error* error) {
  return guarded(error, [&] {
    check_handle(out, "out");
    *out = nullptr;
    check_handle(path, "path");
    auto opened = std::make_unique<e4j_gguf>();
    opened->file = GgufFile::open(path);
    *out = opened.release();
  });
}

extern "C" void e4j_gguf_close(e4j_gguf* gguf) { delete gguf; }

extern "C" e4j_status e4j_gguf_get_info(const e4j_gguf* gguf, e4j_gguf_info* out, e4j_error* error) {
  return guarded(error, [&] {
    check_handle(gguf, "gguf");
    check_struct(out, "e4j_gguf_info");
    const GgufFile& file = *gguf->file;
    out->version = 3;
    out->alignment = file.alignment();
    out->reserved = 0;
    out->file_bytes = file.file_bytes();
    out->data_offset = file.data_offset();
    out->num_kv = file.values().size();
    out->num_tensors = file.tensors().size();
  });
}

extern "C" e4j_status e4j_gguf_get_kv(const e4j_gguf* gguf, uint64_t index, e4j_gguf_kv* out, e4j_error* error) {
  return guarded(error, [&] {
    check_handle(gguf, "gguf");
    check_struct(out, "e4j_gguf_kv");
    const GgufValue& value = at(*gguf->file, gguf->file->values(), index, "keys");
    out->type = static_cast<int32_t>(value.type);
    out->element_type = value.type == GgufType::Array ? static_cast<int32_t>(value.element_type) : -1;
    out->reserved = 0;
    out->key = value.key.data();
    out->key_bytes = value.key.size();
    out->count = value.count;
    out->value = value.value;
    out->value_bytes = value.value_bytes;
  });
}

extern "C" e4j_status e4j_gguf_get_tensor(const e4j_gguf* gguf, uint64_t index, e4j_gguf_tensor* out,
                                          e4j_error* error) {
  return guarded(error, [&] {
    check_handle(gguf, "gguf");
    check_struct(out, "e4j_gguf_tensor");
    const GgufTensor& tensor = at(*gguf->file, gguf->file->tensors(), index, "tensors");
    out->type = static_cast<int32_t>(tensor.type) + (tensor.packed ? kPackedType : 0);
    out->name = tensor.name.data();
    out->name_bytes = tensor.name.size();
    out->num_dims = tensor.num_dims;
    out->reserved = 0;
    std::copy(std::begin(tensor.dims), std::end(tensor.dims), out->dims);
    out->data = tensor.data;
    out->data_bytes = tensor.data_bytes;
  });
}
