// The part of cuBLASLt that cublas_lt.cpp binds, in host memory, for machines without a GPU. It is strict: an attribute it does
// not know, a value of the wrong size, a pointer less aligned than was promised or an algorithm of another shape is an error.
// EMULATED_CUBLASLT_VERSION is its version (130000), EMULATED_CAPABILITY the device's (90), EMULATED_CUBLASLT_STATUS what cublasLtCreate and the heuristic answer (0).
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "cuda/element.h"
#include "cuda/emulated/dot.h"
#include "cuda/emulated/stream.h"

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
  const float *scale_a = nullptr, *scale_b = nullptr;
  int32_t bias_type = -1, mode_a = 0, mode_b = 0;  // type: that of d unless it is said
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
  const bool fp8 = a.type == 28;
  const auto bias_type = desc.bias_type == -1 ? d.type : desc.bias_type;
  if (desc.epilogue == 4 && bias_type != (fp8 ? 14 : d.type)) return false;
  if (fp8 && (desc.scale_a == nullptr || desc.scale_b == nullptr || a.rows % 16 != 0 || a.cols % 16 != 0 || a.ld % 16 != 0 || b.ld % 16 != 0)) return false;
  // Scales of rows: of both operands, and on Hopper only.
  const int32_t mode = setting("EMULATED_CAPABILITY", 90) == 90 ? 3 : 0;
  if (desc.mode_a != desc.mode_b || (desc.mode_a != 0 && desc.mode_a != mode) || (fp8 ? setting("EMULATED_CAPABILITY", 90) < 89 : desc.mode_a != 0)) return false;
  return desc.trans_a == 1 && a.type == b.type && (a.type == 14 || fp8) && (d.type == 14 || d.type == 0) && c.type == d.type && a.rows == b.rows &&
         d.rows == a.cols && d.cols == b.cols && a.ld >= static_cast<int64_t>(a.rows) && b.ld >= static_cast<int64_t>(b.rows) &&
         d.ld >= static_cast<int64_t>(d.rows);
}

bool aligned(const void* p, uint64_t alignment) { return reinterpret_cast<uintptr_t>(p) % alignment == 0; }

float read(const void* p, int type, int64_t at) {
  if (type == 28) return e4j::cuda::from_e4m3(static_cast<const uint8_t*>(p)[at]);
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
  if (attribute == 17) return take(desc.scale_a, value, bytes);
  if (attribute == 18) return take(desc.scale_b, value, bytes);
  if (attribute == 26) return take(desc.bias_type, value, bytes);
  const bool by_rows = setting("EMULATED_CUBLASLT_VERSION", 130000) >= 120900;
  if (attribute == 31 && by_rows) return take(desc.mode_a, value, bytes);
  if (attribute == 32 && by_rows) return take(desc.mode_b, value, bytes);
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
                            void* workspace, size_t, e4j::cuda::Stream stream) {
  const Desc op = *static_cast<Desc*>(desc);
  const Layout la = *static_cast<Layout*>(a_layout), lb = *static_cast<Layout*>(b_layout), ld = *static_cast<Layout*>(d_layout);
  if (!shapes_fit(op, la, lb, *static_cast<Layout*>(c_layout), ld) || workspace == nullptr) return kInvalid;
  if (algorithm[7] != 42 || algorithm[0] != la.rows || algorithm[1] != la.cols || algorithm[2] != lb.cols) return kNotSupported;
  if (!aligned(a, algorithm[3]) || !aligned(b, algorithm[4]) || !aligned(c, algorithm[5]) || !aligned(d, algorithm[6])) return kNotSupported;
  if (la.type == 28 && (!aligned(a, 16) || !aligned(b, 16) || !aligned(d, 16))) return kNotSupported;
  if ((op.epilogue == 4) != (op.bias != nullptr) || !aligned(op.bias, 16)) return kInvalid;
  return e4j::cuda::emulated::enqueue(stream, [=, factor = *alpha, before = *beta] {
    const auto k = static_cast<int64_t>(la.rows), n = static_cast<int64_t>(ld.rows), m = static_cast<int64_t>(ld.cols);
    const std::vector<float> w = e4j::cuda::emulated::floats(n, k, [&](int64_t r, int64_t i) { return read(a, la.type, r * la.ld + i); });
    const std::vector<float> x = e4j::cuda::emulated::floats(m, k, [&](int64_t r, int64_t i) { return read(b, lb.type, r * lb.ld + i); });
    for (int64_t col = 0; col < m; ++col)
      for (int64_t row = 0; row < n; ++row) {
        float sum = e4j::cuda::emulated::dot(&w[static_cast<size_t>(row * k)], &x[static_cast<size_t>(col * k)], k);
        sum *= factor;
        if (op.scale_a != nullptr) sum *= op.scale_a[op.mode_a == 3 ? row : 0] * op.scale_b[op.mode_b == 3 ? col : 0];
        if (op.bias != nullptr) sum += read(op.bias, op.bias_type == -1 ? ld.type : op.bias_type, row);
        const int64_t at = col * ld.ld + row;
        if (before != 0) sum += before * read(c, ld.type, at);
        if (ld.type == 0)
          static_cast<float*>(d)[at] = sum;
        else
          static_cast<uint16_t*>(d)[at] = e4j::cuda::to_bf16(sum);
      }
    return 0;
  });
}
