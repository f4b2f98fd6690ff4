// The part of cuBLASLt that cublas_lt.cpp binds, in host memory, for machines without a GPU. It is strict: an attribute it does
// not know, a value of the wrong size, a pointer less aligned than was promised or an algorithm of another shape is an error.
// EMULATED_CUBLASLT_VERSION is its version (130000), EMULATED_CUBLASLT_STATUS what cublasLtCreate and the heuristic answer (0).
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "cuda/element.h"

#define EMULATED extern "C" __attribute__((visibility("default")))

namespace {

constexpr int kInvalid = 7, kNotSupported = 15;

struct Layout {
  int type;
  uint64_t rows, cols;
  int64_t ld;
};
struct Desc {
  int32_t trans_a = 0;
  uint32_t epilogue = 1;
  const void* bias = nullptr;
};
struct Preference {
  uint64_t workspace = 0;
  uint32_t align[4] = {256, 256, 256, 256};
};
struct Result {
  uint64_t algorithm[8];
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

uint64_t setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

template <class T>
int take(T& to, const void* from, size_t bytes) {
  if (bytes != sizeof(T)) return kInvalid;
  std::memcpy(&to, from, bytes);
  return 0;
}

template <class T>
int destroy(void* p) {
  delete static_cast<T*>(p);
  return 0;
}

bool shapes_fit(const Desc& desc, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
  return desc.trans_a == 1 && a.type == 14 && b.type == 14 && (d.type == 14 || d.type == 0) && c.type == d.type && a.rows == b.rows &&
         d.rows == a.cols && d.cols == b.cols && a.ld >= static_cast<int64_t>(a.rows) && b.ld >= static_cast<int64_t>(b.rows) &&
         d.ld >= static_cast<int64_t>(d.rows);
}

bool aligned(const void* p, uint64_t alignment) { return reinterpret_cast<uintptr_t>(p) % alignment == 0; }

float read(const void* p, int type, int64_t at) {
  return type == 0 ? static_cast<const float*>(p)[at] : e4j::cuda::from_bf16(static_cast<const uint16_t*>(p)[at]);
}

}  // namespace

EMULATED size_t cublasLtGetVersion() { return setting("EMULATED_CUBLASLT_VERSION", 130000); }
EMULATED int cublasLtCreate(void** handle) {
  *handle = new int(0);
  return static_cast<int>(setting("EMULATED_CUBLASLT_STATUS", 0));
}
EMULATED int cublasLtDestroy(void* handle) { return destroy<int>(handle); }
EMULATED int cublasLtMatrixLayoutCreate(void** out, int type, uint64_t rows, uint64_t cols, int64_t ld) {
  *out = new Layout{type, rows, cols, ld};
  return 0;
}
EMULATED int cublasLtMatrixLayoutDestroy(void* p) { return destroy<Layout>(p); }
EMULATED int cublasLtMatmulDescCreate(void** out, int compute_type, int scale_type) {
  *out = new Desc;
  return compute_type == 68 && scale_type == 0 ? 0 : kInvalid;
}
EMULATED int cublasLtMatmulDescDestroy(void* p) { return destroy<Desc>(p); }
EMULATED int cublasLtMatmulDescSetAttribute(void* p, int attribute, const void* value, size_t bytes) {
  Desc& desc = *static_cast<Desc*>(p);
  if (attribute == 3) return take(desc.trans_a, value, bytes);
  if (attribute == 7) return take(desc.epilogue, value, bytes);
  if (attribute == 8) return take(desc.bias, value, bytes);
  return kInvalid;
}
EMULATED int cublasLtMatmulPreferenceCreate(void** out) {
  *out = new Preference;
  return 0;
}
EMULATED int cublasLtMatmulPreferenceDestroy(void* p) { return destroy<Preference>(p); }
EMULATED int cublasLtMatmulPreferenceSetAttribute(void* p, int attribute, const void* value, size_t bytes) {
  Preference& preference = *static_cast<Preference*>(p);
  if (attribute == 1) return take(preference.workspace, value, bytes);
  if (attribute >= 5 && attribute <= 8) return take(preference.align[attribute - 5], value, bytes);
  return kInvalid;
}
EMULATED int cublasLtMatmulAlgoGetHeuristic(void*, void* desc, void* a, void* b, void* c, void* d, void* preference, int requested,
                                            Result* results, int* returned) {
  const Preference& p = *static_cast<Preference*>(preference);
  const Layout &la = *static_cast<Layout*>(a), &lb = *static_cast<Layout*>(b), &ld = *static_cast<Layout*>(d);
  *returned = 0;
  if (requested < 1 || !shapes_fit(*static_cast<Desc*>(desc), la, lb, *static_cast<Layout*>(c), ld)) return kInvalid;
  if (const int status = static_cast<int>(setting("EMULATED_CUBLASLT_STATUS", 0)); status != 0) return status;
  *results = Result{{la.rows, la.cols, lb.cols, p.align[0], p.align[1], p.align[2], p.align[3], 42}, p.workspace, 0, 1, {}};
  *returned = 1;
  return 0;
}
EMULATED int cublasLtMatmul(void*, void* desc, const float* alpha, const void* a, void* a_layout, const void* b, void* b_layout,
                            const float* beta, const void* c, void* c_layout, void* d, void* d_layout, const uint64_t* algorithm,
                            void* workspace, size_t, void*) {
  const Desc& op = *static_cast<Desc*>(desc);
  const Layout &la = *static_cast<Layout*>(a_layout), &lb = *static_cast<Layout*>(b_layout), &ld = *static_cast<Layout*>(d_layout);
  if (!shapes_fit(op, la, lb, *static_cast<Layout*>(c_layout), ld) || workspace == nullptr) return kInvalid;
  if (algorithm[7] != 42 || algorithm[0] != la.rows || algorithm[1] != la.cols || algorithm[2] != lb.cols) return kNotSupported;
  if (!aligned(a, algorithm[3]) || !aligned(b, algorithm[4]) || !aligned(c, algorithm[5]) || !aligned(d, algorithm[6])) return kNotSupported;
  if ((op.epilogue == 4) != (op.bias != nullptr) || !aligned(op.bias, 16)) return kInvalid;
  for (uint64_t col = 0; col < ld.cols; ++col)
    for (uint64_t row = 0; row < ld.rows; ++row) {
      float sum = 0;
      for (uint64_t k = 0; k < la.rows; ++k)
        sum += read(a, 14, static_cast<int64_t>(row) * la.ld + static_cast<int64_t>(k)) * read(b, 14, static_cast<int64_t>(col) * lb.ld + static_cast<int64_t>(k));
      sum *= *alpha;
      if (op.bias != nullptr) sum += read(op.bias, ld.type, static_cast<int64_t>(row));
      const int64_t at = static_cast<int64_t>(col) * ld.ld + static_cast<int64_t>(row);
      if (*beta != 0) sum += *beta * read(c, ld.type, at);
      if (ld.type == 0)
        static_cast<float*>(d)[at] = sum;
      else
        static_cast<uint16_t*>(d)[at] = e4j::cuda::to_bf16(sum);
    }
  return 0;
}
