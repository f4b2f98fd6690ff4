// Every kernel of libembed4j_cuda against its plain form in host memory (emulated/device.cpp). Without a GPU the library under test
// is the emulated one too, so that only this test itself is tested; bench/gpu/run.sh runs it on a GPU.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "cuda/cuda_memory.h"
#include "cuda/element.h"
#include "cuda/emulated/device.h"
#include "random.h"
#include "tensor/quantize.h"
#include "test.h"

using namespace e4j;
using namespace e4j::cuda;
using e4j::test::Random;

namespace {

const Device& device() {
  static const Device one("", 0);
  static const bool used = (one.check(one.api().use(0), "use"), true);
  (void)used;
  return one;
}

// The same memory twice: on the device and on the host.
template <class T>
class Twin {
 public:
  explicit Twin(std::vector<T> values) : host_(std::move(values)), device_(device(), std::max<size_t>(host_.size() * sizeof(T), 1)) {
    device().check(device().api().copy(device_.data(), host_.data(), host_.size() * sizeof(T), nullptr), "copy");
  }
  T* on(bool gpu) const { return gpu ? device_.as<T>() : host_.data(); }
  size_t size() const { return host_.size(); }
  const std::vector<T>& host() const { return host_; }
  std::vector<T> fetched() const {
    std::vector<T> out(host_.size());
    device().check(device().api().copy(out.data(), device_.data(), out.size() * sizeof(T), nullptr), "copy");
    device().check(device().api().synchronize(nullptr), "a kernel");
    return out;
  }

 private:
  mutable std::vector<T> host_;  // the plain forms write here
  DeviceMemory device_;
};

float value(float x) { return x; }
float value(uint16_t x) { return from_bf16(x); }
float value(uint8_t x) { return from_e4m3(x); }

// call(api, gpu) on both; then the arrays must agree: the error of each value relative to the largest one.
template <class T, class Call>
void same(const char* what, const Twin<T>& out, double tolerance, Call&& call) {
  device().check(call(emulated_device(), false), what);
  device().check(call(device().api(), true), what);
  const std::vector<T> got = out.fetched();
  double most = 1e-30, worst = 0;
  for (const T& v : out.host()) most = std::max(most, std::fabs(static_cast<double>(value(v))));
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = std::fabs(static_cast<double>(value(got[i])) - value(out.host()[i]));
    worst = std::max(worst, std::isfinite(error) ? error / most : 1e30);
  }
  if (!(worst <= tolerance)) test::failed(__FILE__, __LINE__, std::string(what) + ": error " + std::to_string(worst) + " of the largest value");
}

std::vector<uint16_t> halves(const std::vector<float>& values) {
  std::vector<uint16_t> out;
  for (const float v : values) out.push_back(to_bf16(v));
  return out;
}

Twin<float> floats(Random& random, size_t n, float scale = 1) { return Twin<float>(random.normals(n, scale)); }
Twin<uint16_t> bf16s(Random& random, size_t n, float scale = 1) { return Twin<uint16_t>(halves(random.normals(n, scale))); }

constexpr double kRounding = 0.008;  // one bf16 step of the largest value

}  // namespace

TEST(small_rows) {
  Random random(1);
  for (const auto& [rows, cols, padded_cols] : {std::tuple(3, 2048, 2048), std::tuple(257, 160, 192), std::tuple(2, 37, 64)}) {
    const size_t n = static_cast<size_t>(rows * cols), p = static_cast<size_t>(rows * padded_cols);
    const auto x = floats(random, n, 3), weight = floats(random, static_cast<size_t>(cols));
    const Twin<float> out(std::vector<float>(n, NAN));
    const Twin<uint16_t> out16(std::vector<uint16_t>(p, 0x7fff));
    same("norm_rows f32", out, 1e-5, [&](const DeviceApi& api, bool gpu) {
      return api.norm_rows({x.on(gpu), weight.on(gpu), rows, cols, cols, 1e-6f, out.on(gpu), nullptr, cols, cols}, nullptr);
    });
    same("norm_rows bf16", out16, kRounding, [&](const DeviceApi& api, bool gpu) {
      return api.norm_rows({x.on(gpu), weight.on(gpu), rows, cols, cols, 1e-6f, nullptr, out16.on(gpu), padded_cols, padded_cols}, nullptr);
    });
    same("cast_rows", out16, 0, [&](const DeviceApi& api, bool gpu) {
      return api.cast_rows({x.on(gpu), rows, cols, cols, out16.on(gpu), padded_cols, padded_cols}, nullptr);
    });
    for (const bool by_rows : {true, false}) {
      const auto q = bf16s(random, p, 5);
      const int64_t stride = (padded_cols + 15) / 16 * 16;
      const Twin<uint8_t> codes(std::vector<uint8_t>(static_cast<size_t>(rows * stride), 0x11));
      const Twin<float> scales(std::vector<float>(static_cast<size_t>(std::max(rows, 2)), 1.0f));
      const auto quantize = [&, rows = rows, cols = padded_cols](const DeviceApi& api, bool gpu) {
        return api.quantize_rows({q.on(gpu), cols, rows, cols, codes.on(gpu), stride, scales.on(gpu), by_rows}, nullptr);
      };
      same("quantize_rows", codes, 0, quantize);
      same("quantize_rows' scales", scales, 0, quantize);
    }
    const auto gelu_x = Twin<float>(x.host()), unit_x = Twin<float>(x.host());
    same("gelu_rows", gelu_x, 1e-5, [&](const DeviceApi& api, bool gpu) { return api.gelu_rows({gelu_x.on(gpu), rows, cols, cols}, nullptr); });
    same("normalize_rows", unit_x, 1e-5, [&](const DeviceApi& api, bool gpu) { return api.normalize_rows({unit_x.on(gpu), rows, cols, cols}, nullptr); });
    const auto gate_up = bf16s(random, 2 * p, 2);
    same("swiglu_rows", out16, kRounding, [&](const DeviceApi& api, bool gpu) {
      return api.swiglu_rows({gate_up.on(gpu), gate_up.on(gpu) + padded_cols, 2 * padded_cols, rows, padded_cols, out16.on(gpu), padded_cols}, nullptr);
    });
    std::vector<int32_t> order, ranges;
    for (int i = 0; i < rows; ++i) order.push_back((i * 7 + 1) % rows), ranges.insert(ranges.end(), {i / 2, i + 1});
    if (rows % 7 == 0) for (int i = 0; i < rows; ++i) order[static_cast<size_t>(i)] = i;
    const Twin<int32_t> index(order), range(ranges);
    for (const bool scatter : {false, true})
      same("indexed_rows", out, 0, [&](const DeviceApi& api, bool gpu) {
        return api.indexed_rows({x.on(gpu), index.on(gpu), rows, cols, cols, cols, out.on(gpu), scatter}, nullptr);
      });
    same("mean_rows", out, 1e-6, [&](const DeviceApi& api, bool gpu) {
      return api.mean_rows({x.on(gpu), range.on(gpu), rows, cols, cols, cols, out.on(gpu)}, nullptr);
    });
    const auto table = bf16s(random, n);
    same("embed_rows", out, 0, [&](const DeviceApi& api, bool gpu) { return api.embed_rows({table.on(gpu), index.on(gpu), rows, cols, out.on(gpu), cols}, nullptr); });
  }
}

TEST(small_rotation) {
  Random random(2);
  for (const auto& [half, heads, rows] : {std::tuple(64, 18, 33), std::tuple(40, 4, 70)}) {
    std::vector<int32_t> positions, axis;
    std::vector<float> inv_freq;
    for (int a = 0; a < 3; ++a)
      for (int i = 0; i < rows; ++i) positions.push_back(random.below(32768));
    for (int j = 0; j < half; ++j) axis.push_back(j % 3), inv_freq.push_back(static_cast<float>(std::pow(1e6, -1.0 * j / half)));
    const Twin<int32_t> p(positions), a(axis);
    const Twin<float> f(inv_freq), cos(std::vector<float>(static_cast<size_t>(rows * half))), sin(std::vector<float>(static_cast<size_t>(rows * half)));
    for (const auto* out : {&cos, &sin})
      same("rotary_table", *out, 1e-5, [&](const DeviceApi& api, bool gpu) {
        return api.rotary_table({p.on(gpu), a.on(gpu), f.on(gpu), rows, half, cos.on(gpu), sin.on(gpu)}, nullptr);
      });
    const int64_t stride = heads * 2 * half + 64;
    const auto x = bf16s(random, static_cast<size_t>(rows * stride));
    same("rotate_rows", x, kRounding, [&](const DeviceApi& api, bool gpu) {
      return api.rotate_rows({x.on(gpu), stride, rows, heads, half, cos.on(gpu), sin.on(gpu)}, nullptr);
    });
  }
}

TEST(small_weights_expand_exactly) {
  Random random(3);
  for (const auto& [type, k] : {std::pair(DType::F32, 512), std::pair(DType::F16, 512), std::pair(DType::BF16, 512), std::pair(DType::Q8_0, 512),
                                std::pair(DType::Q4_K, 512), std::pair(DType::Q5_K, 512), std::pair(DType::Q6_K, 512), std::pair(DType::BF16, 37)}) {
    const int n = 37, stride = 576;
    std::vector<std::byte> stored(static_cast<size_t>(n) * row_bytes(type, k));
    quantize_rows(type, random.normals(static_cast<size_t>(n * k)).data(), n, k, stored.data());
    const Twin<std::byte> rows(stored);
    constexpr uint16_t kBefore = 0x4040;
    const Twin<uint16_t> out(std::vector<uint16_t>(static_cast<size_t>(n * stride), kBefore));
    same(dtype_name(type), out, 0, [&, type = type, k = k](const DeviceApi& api, bool gpu) {
      return api.expand(type, rows.on(gpu), n, k, out.on(gpu), stride, nullptr);
    });
    const std::vector<uint16_t> got = out.fetched();
    for (int r = 0; r < n; ++r)
      for (int i = k; i < stride; ++i) CHECK_EQ(got[static_cast<size_t>(r * stride + i)], i < k + k % 2 ? 0 : kBefore);
  }
}

TEST(small_products_from_stored_weights) {
  Random random(4);
  const Twin<std::byte> workspace{std::vector<std::byte>(kMatmulWorkspaceBytes)};
  for (const DType type : {DType::BF16, DType::Q8_0, DType::Q4_K, DType::Q5_K, DType::Q6_K})
    for (const int m : {1, 16, 33, 64, 65, 130})
      for (const auto& [n, k] : {std::pair(64, 256), std::pair(200, 1024)}) {
        if (type == DType::BF16 && m > kSkinnyRows) continue;
        std::vector<std::byte> stored(static_cast<size_t>(n) * row_bytes(type, k));
        quantize_rows(type, random.normals(static_cast<size_t>(n * k), 1 / std::sqrt(static_cast<float>(k))).data(), n, k, stored.data());
        const Twin<std::byte> rows(stored);
        const Twin<std::byte> packed(std::vector<std::byte>(type == DType::BF16 ? 1 : std::max(device().api().packed_weight_bytes(type, n, k), stored.size())));
        if (type != DType::BF16) {
          device().check(emulated_device().pack_weight(type, rows.on(false), n, k, packed.on(false), nullptr), "pack");
          device().check(device().api().pack_weight(type, rows.on(true), n, k, packed.on(true), nullptr), "pack");
        }
        const auto x = bf16s(random, static_cast<size_t>(m * k));
        const auto bias = floats(random, static_cast<size_t>(n)), y = floats(random, static_cast<size_t>(m * n));
        const Twin<uint16_t> y16(std::vector<uint16_t>(static_cast<size_t>(m * n), 0x7fff));
        const std::string what = std::string(dtype_name(type)) + " m " + std::to_string(m) + " n " + std::to_string(n);
        const auto call = [&, n = n, k = k](const DeviceApi& api, bool gpu, bool half, bool accumulate) {
          return api.matmul({type, type == DType::BF16 ? static_cast<const void*>(rows.on(gpu)) : packed.on(gpu), k, x.on(gpu), k, m, n, k, bias.on(gpu),
                             half ? nullptr : y.on(gpu), half ? y16.on(gpu) : nullptr, n, accumulate, workspace.on(gpu)}, nullptr);
        };
        same((what + " f32").c_str(), y, 1e-4, [&](const DeviceApi& api, bool gpu) { return call(api, gpu, false, true); });
        same((what + " bf16").c_str(), y16, kRounding, [&](const DeviceApi& api, bool gpu) { return call(api, gpu, true, false); });
        same((what + " bf16, accumulating").c_str(), y16, kRounding, [&](const DeviceApi& api, bool gpu) { return call(api, gpu, true, true); });
      }
}

namespace {

void attention_agrees(const std::vector<std::vector<int32_t>>& batches, bool wgmma = false) {
  Random random(5);
  for (const auto& [heads, kv_heads, dim, causal] : {std::tuple(16, 2, 128, true), std::tuple(2, 1, 128, true), std::tuple(3, 3, 80, false)})
    for (const std::vector<int32_t>& cu : batches) {
      AttentionPlan plan = plan_attention(cu, heads, kv_heads, dim, causal);
      if (wgmma && plan.kernel != AttentionKernel::kCausal128) continue;
      if (wgmma) plan.kernel = AttentionKernel::kCausal128Wgmma;
      const Twin<AttentionTile> tiles(plan.tiles);
      const int64_t row = (heads + 2 * kv_heads) * dim, rows = cu.back();
      const auto qkv = bf16s(random, static_cast<size_t>(rows * row));
      const Twin<float> out(std::vector<float>(static_cast<size_t>(rows * heads * dim), NAN));
      same("attention", out, 0.02, [&, heads = heads, kv_heads = kv_heads, dim = dim](const DeviceApi& api, bool gpu) {
        const uint16_t* q = qkv.on(gpu);
        return api.attention({plan.kernel, tiles.on(gpu), static_cast<int>(tiles.size()), heads, kv_heads,
                              1 / std::sqrt(static_cast<float>(dim)), q, q + heads * dim, q + (heads + kv_heads) * dim, row, row, row, nullptr,
                              out.on(gpu), int64_t{heads} * dim},
                             nullptr);
      });
    }
}

}  // namespace

TEST(small_attention) { attention_agrees({{0, 1}, {0, 64, 65, 129}, {0, 17, 17, 18, 90}}); }

TEST(attention_over_long_sequences) { attention_agrees({{0, 400, 401, 900}, {0, 64, 128, 192, 256, 320}}); }

// The kernel that only EMBED4J_CUDA_ATTENTION=wgmma chooses. Last, so that it takes no other test with it.
TEST(wgmma_attention) {
  if (!has_wgmma(device().info())) return;
  attention_agrees({{0, 1}, {0, 64, 65, 129}, {0, 17, 17, 18, 90}, {0, 400, 401, 900}, {0, 64, 128, 192, 256, 320}}, true);
}
