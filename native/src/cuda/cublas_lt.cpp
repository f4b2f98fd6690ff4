#include "cuda/cublas_lt.h"

#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/status.h"

namespace e4j::cuda {
namespace {

constexpr int32_t kReal32F = 0, kReal16BF = 14, kReal8F = 28;  // cudaDataType_t: CUDA_R_32F, CUDA_R_16BF, CUDA_R_8F_E4M3
constexpr int kCompute32F = 68;              // cublasComputeType_t: CUBLAS_COMPUTE_32F
constexpr int32_t kTranspose = 1;            // cublasOperation_t: CUBLAS_OP_T (CUBLAS_OP_N is the default)
// cublasLtMatmulDescAttributes_t
constexpr int kDescTransA = 3, kDescEpilogue = 7, kDescBiasPointer = 8, kDescScaleA = 17, kDescScaleB = 18, kDescBiasType = 26,
              kDescScaleModeA = 31, kDescScaleModeB = 32;
constexpr int32_t kScaleRows = 3;             // cublasLtMatmulMatrixScale_t: CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F
constexpr uint32_t kEpilogueBias = 4;         // cublasLtEpilogue_t: CUBLASLT_EPILOGUE_BIAS
// cublasLtMatmulPreferenceAttributes_t: MAX_WORKSPACE_BYTES, MIN_ALIGNMENT_[ABCD]_BYTES
constexpr int kPreferenceMaxWorkspace = 1, kPreferenceAlignA = 5, kPreferenceAlignB = 6, kPreferenceAlignC = 7, kPreferenceAlignD = 8;
constexpr size_t kLeastVersion = 120000;      // CUDA 12.0

// cublasLtMatmulHeuristicResult_t
struct HeuristicResult {
  uint64_t algorithm[8];
  size_t workspace_bytes;
  int state;
  float waves;
  int reserved[4];
};
static_assert(sizeof(HeuristicResult) == 96);

LibraryPlaces places(const std::string& path) {
  LibraryPlaces p{"NVIDIA's cuBLASLt (libcublasLt.so)", {}, "Install NVIDIA's cuBLAS, add org.bytedeco:cuda with the classifier "
                  "linux-x86_64-redist-cublas to the class path, or set EMBED4J_CUBLASLT_LIBRARY to its path."};
  const char* variable = std::getenv("EMBED4J_CUBLASLT_LIBRARY");
  if (variable != nullptr && *variable != 0)
    p.paths = {variable};
  else if (!path.empty())
    p.paths = {path};
  else
    p.paths = {"libcublasLt.so.13", "libcublasLt.so.12", "/usr/local/cuda/lib64/libcublasLt.so.13", "/usr/local/cuda/lib64/libcublasLt.so.12"};
  return p;
}

// The largest power of two up to 256 that divides the address: the heuristic takes 256 for granted.
uint32_t alignment(const void* p) noexcept {
  const uintptr_t address = reinterpret_cast<uintptr_t>(p) | 256;
  return static_cast<uint32_t>(address & (~address + 1));
}

// Destroys what `create` made.
struct Descriptor {
  void* value = nullptr;
  int (*destroy)(void*);
  explicit Descriptor(int (*d)(void*)) : destroy(d) {}
  Descriptor(const Descriptor&) = delete;
  ~Descriptor() {
    if (value != nullptr) destroy(value);
  }
};

}  // namespace

CublasLt::CublasLt(const std::string& path) : library_(places(path)) {
  const auto bind = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(library_.find(name));
    if (function == nullptr) fail(E4J_DEVICE_UNAVAILABLE, "%s has no function %s: it is not cuBLASLt", library_.path().c_str(), name);
  };
  bind(get_version_, "cublasLtGetVersion");
  bind(create_, "cublasLtCreate");
  bind(destroy_, "cublasLtDestroy");
  bind(layout_create_, "cublasLtMatrixLayoutCreate");
  bind(layout_destroy_, "cublasLtMatrixLayoutDestroy");
  bind(desc_create_, "cublasLtMatmulDescCreate");
  bind(desc_destroy_, "cublasLtMatmulDescDestroy");
  bind(desc_set_, "cublasLtMatmulDescSetAttribute");
  bind(preference_create_, "cublasLtMatmulPreferenceCreate");
  bind(preference_destroy_, "cublasLtMatmulPreferenceDestroy");
  bind(preference_set_, "cublasLtMatmulPreferenceSetAttribute");
  bind(heuristic_, "cublasLtMatmulAlgoGetHeuristic");
  bind(matmul_, "cublasLtMatmul");
  version_ = get_version_();
  if (version_ < kLeastVersion)
    fail(E4J_DEVICE_UNAVAILABLE, "%s is cuBLASLt %zu; %zu (CUDA 12.0) or newer is needed", library_.path().c_str(), version_, kLeastVersion);
}

CublasLt::~CublasLt() {
  if (handle_ != nullptr) destroy_(handle_);
}

void CublasLt::open() {
  if (const int status = create_(&handle_); status != 0)
    fail(E4J_DEVICE_UNAVAILABLE, "%s (version %zu) cannot be started on this GPU: cuBLAS status %d", library_.path().c_str(), version_, status);
}

// Column-major, as cuBLAS sees it: D [n x m] = W^T [n x k] X [k x m].
void GemmPlans::run(const Gemm& g, void* workspace, Stream stream) {
  const bool fp8 = g.x_scales != nullptr;
  const auto check = [&](int status, const char* what) {
    if (status != 0)
      fail(E4J_INTERNAL, "cuBLASLt: %s for m %d, n %d, k %d (%s%s%s%s): status %d", what, g.m, g.n, g.k, g.d_f32 ? "f32" : "bf16",
           fp8 ? g.by_rows ? ", fp8 by rows" : ", fp8" : "", g.bias != nullptr ? ", bias" : "", g.accumulate ? ", accumulating" : "", status);
  };
  const int32_t d_type = g.d_f32 ? kReal32F : kReal16BF, type = fp8 ? kReal8F : kReal16BF;
  Descriptor desc(library_.desc_destroy_), w(library_.layout_destroy_), x(library_.layout_destroy_), d(library_.layout_destroy_);
  check(library_.desc_create_(&desc.value, kCompute32F, kReal32F), "no descriptor");
  check(library_.desc_set_(desc.value, kDescTransA, &kTranspose, sizeof kTranspose), "no transposed operand");
  if (g.bias != nullptr) {
    check(library_.desc_set_(desc.value, kDescEpilogue, &kEpilogueBias, sizeof kEpilogueBias), "no bias epilogue");
    check(library_.desc_set_(desc.value, kDescBiasPointer, &g.bias, sizeof g.bias), "no bias");
    if (fp8) check(library_.desc_set_(desc.value, kDescBiasType, &kReal16BF, sizeof kReal16BF), "no bf16 bias");
  }
  if (fp8) {
    check(library_.desc_set_(desc.value, kDescScaleA, &g.w_scales, sizeof g.w_scales), "no scale");
    check(library_.desc_set_(desc.value, kDescScaleB, &g.x_scales, sizeof g.x_scales), "no scale");
    for (const int mode : {kDescScaleModeA, kDescScaleModeB})
      if (g.by_rows) check(library_.desc_set_(desc.value, mode, &kScaleRows, sizeof kScaleRows), "no scales of rows");
  }
  const auto size = [](int v) { return static_cast<uint64_t>(v); };
  check(library_.layout_create_(&w.value, type, size(g.k), size(g.n), g.w_stride), "no layout");
  check(library_.layout_create_(&x.value, type, size(g.k), size(g.m), g.x_stride), "no layout");
  check(library_.layout_create_(&d.value, d_type, size(g.n), size(g.m), g.d_stride), "no layout");

  const uint32_t align_w = alignment(g.w), align_x = alignment(g.x), align_d = alignment(g.d);
  const uint64_t kind = (g.d_f32 ? 1u : 0u) | (g.bias != nullptr ? 2u : 0u) | (g.accumulate ? 4u : 0u) | (fp8 ? 8u : 0u) |
                        (g.by_rows ? 16u : 0u) | uint64_t{align_w} << 8 |
                        uint64_t{align_x} << 20 | uint64_t{align_d} << 32 | uint64_t{alignment(g.bias)} << 44;
  const Key key{g.m, g.n, g.k, g.x_stride, g.w_stride, g.d_stride, kind};
  auto found = algorithms_.find(key);
  if (found == algorithms_.end()) {
    Descriptor preference(library_.preference_destroy_);
    check(library_.preference_create_(&preference.value), "no preference");
    const uint64_t bytes = kGemmWorkspaceBytes;
    check(library_.preference_set_(preference.value, kPreferenceMaxWorkspace, &bytes, sizeof bytes), "no workspace preference");
    for (const auto& [attribute, value] : {std::pair(kPreferenceAlignA, align_w), std::pair(kPreferenceAlignB, align_x),
                                           std::pair(kPreferenceAlignC, align_d), std::pair(kPreferenceAlignD, align_d)})
      check(library_.preference_set_(preference.value, attribute, &value, sizeof value), "no alignment preference");
    HeuristicResult result{};
    int returned = 0;
    check(library_.heuristic_(library_.handle_, desc.value, w.value, x.value, d.value, d.value, preference.value, 1, &result, &returned),
          "no algorithm");
    if (returned < 1) check(15, "no algorithm");  // CUBLAS_STATUS_NOT_SUPPORTED
    check(result.state, "no algorithm");
    Algorithm algorithm{};
    std::memcpy(algorithm.data, result.algorithm, sizeof algorithm.data);
    if (algorithms_.size() == kMost) algorithms_.clear();  // batches of every length there is
    found = algorithms_.emplace(key, algorithm).first;
  }
  const float beta = g.accumulate ? 1.0f : 0.0f;
  check(library_.matmul_(library_.handle_, desc.value, &g.alpha, g.w, w.value, g.x, x.value, &beta, g.d, d.value, g.d, d.value,
                         found->second.data, workspace, kGemmWorkspaceBytes, stream),
        "the product failed");
}

}  // namespace e4j::cuda
