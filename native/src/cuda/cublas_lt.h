// NVIDIA's cuBLASLt, bound when a model is opened on a GPU: neither its headers nor its library are needed before. Prototypes,
// enum values and the heuristic's result are those of cublasLt.h, cublas_api.h and library_types.h, which have not changed from
// CUDA 12.0 to 13.1; they are documented at https://docs.nvidia.com/cuda/cublas/#using-the-cublaslt-api.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "cuda/device_api.h"
#include "cuda/shared_object.h"

namespace e4j::cuda {

// d[m][n] = x[m][k] w[n][k]^T * alpha + bias[n] (+ d). x and w are bf16, sums float32, d and its bias both bf16 or both float32.
// Or x and w are e4m3 with scales, from compute capability 8.9 on: k, n and strides are multiples of 16, the bias is bf16.
struct Gemm {
  int m, n, k;
  const void* x;
  int64_t x_stride;
  const void* w;
  int64_t w_stride;
  const void* bias;  // [n], or null; 16-byte aligned
  void* d;
  int64_t d_stride;
  bool d_f32;
  bool accumulate;
  float alpha;
  const float *x_scales = nullptr, *w_scales = nullptr;  // null: bf16; e4m3: one each, or by_rows one for every row, [m] and [n]
  bool by_rows = false;

  bool operator==(const Gemm&) const = default;
};

class CublasLt {
 public:
  // The library at `path`, or where empty: in EMBED4J_CUBLASLT_LIBRARY, or under the system's names for CUDA 13 and 12. Fails
  // with E4J_DEVICE_UNAVAILABLE saying what was looked for, or what the library lacks.
  explicit CublasLt(const std::string& path);
  ~CublasLt();
  CublasLt(const CublasLt&) = delete;

  // Made once the thread's device is the one it is for. Thread-safe afterwards, as cuBLASLt states for its handles.
  void open();
  const std::string& path() const noexcept { return library_.path(); }
  // 130100 for 13.1.0, as cublasLtGetVersion counts.
  size_t version() const noexcept { return version_; }

 private:
  friend class GemmPlans;

  SharedObject library_;
  size_t version_ = 0;
  void* handle_ = nullptr;
  // cublasStatus_t is an int, 0 for success; descriptors are opaque pointers.
  int (*create_)(void**) = nullptr;
  int (*destroy_)(void*) = nullptr;
  size_t (*get_version_)() = nullptr;
  int (*layout_create_)(void**, int type, uint64_t rows, uint64_t cols, int64_t ld) = nullptr;
  int (*layout_destroy_)(void*) = nullptr;
  int (*desc_create_)(void**, int compute_type, int scale_type) = nullptr;
  int (*desc_destroy_)(void*) = nullptr;
  int (*desc_set_)(void*, int attribute, const void*, size_t) = nullptr;
  int (*preference_create_)(void**) = nullptr;
  int (*preference_destroy_)(void*) = nullptr;
  int (*preference_set_)(void*, int attribute, const void*, size_t) = nullptr;
  int (*heuristic_)(void* handle, void* desc, void* a, void* b, void* c, void* d, void* preference, int requested, void* results,
                    int* returned) = nullptr;
  int (*matmul_)(void* handle, void* desc, const void* alpha, const void* a, void* a_layout, const void* b, void* b_layout,
                 const void* beta, const void* c, void* c_layout, void* d, void* d_layout, const void* algorithm, void* workspace,
                 size_t workspace_bytes, Stream) = nullptr;
};

// From 12.9 on, and on compute capability 9.0 alone, e4m3 operands may have a scale for every row ("outer vector scaling").
inline constexpr size_t kRowScalesVersion = 120900;

inline constexpr size_t kGemmWorkspaceBytes = size_t{32} << 20;  // what NVIDIA advises for Hopper

// The algorithms of one session, chosen by cuBLASLt's heuristic once per shape; of kMost shapes at most. Not thread-safe.
class GemmPlans {
 public:
  static constexpr size_t kMost = 2048;

  explicit GemmPlans(const CublasLt& library) : library_(library) {}

  // Queues the product. Fails with E4J_INTERNAL naming the shape when cuBLASLt refuses it.
  void run(const Gemm& gemm, void* workspace, Stream stream);
  size_t size() const noexcept { return algorithms_.size(); }

 private:
  struct Algorithm {
    uint64_t data[8];
  };
  using Key = std::tuple<int, int, int, int64_t, int64_t, int64_t, uint64_t>;

  const CublasLt& library_;
  std::map<Key, Algorithm> algorithms_;
};

}  // namespace e4j::cuda
