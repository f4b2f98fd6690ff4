// The matmul kernels, run lane by lane on the CPU (thread_block/emulation.h), and the packing of weights.
#include "cuda/quant_matmul/quant_matmul.h"

#include "cuda/quant_matmul/kernel.h"
#include "guarded.h"
#include "random.h"
#include "tensor/quantize.h"
#include "test.h"

using namespace e4j;
using namespace e4j::cuda;
using e4j::test::Guarded;
using e4j::test::Random;

namespace {

constexpr DType kQuantised[] = {DType::Q8_0, DType::Q4_K, DType::Q5_K, DType::Q6_K};

struct Weights {
  DType type;
  int n, k;
  std::vector<std::byte> stored, packed;
  std::vector<float> values;     // [n][k]
  std::vector<uint16_t> rounded;  // [n][k] bf16

  Weights(DType t, int rows, int cols, Random& random) : type(t), n(rows), k(cols) {
    const std::vector<float> source = random.normals(static_cast<size_t>(n * k));
    stored.resize(static_cast<size_t>(n) * row_bytes(type, k));
    values.resize(source.size());
    quantize_rows(type, source.data(), n, k, stored.data());
    dequantize_rows(type, stored.data(), n, k, values.data());
    for (const float v : values) rounded.push_back(f32_to_bf16(v));
    if (type == DType::BF16) return;
    packed.resize(packed_weight_bytes(type, n, k), std::byte{0xee});
    pack_weight(type, stored.data(), n, k, packed.data());
  }
};

std::vector<uint16_t> bf16_normals(Random& random, int n) {
  std::vector<uint16_t> v;
  for (const float x : random.normals(static_cast<size_t>(n))) v.push_back(f32_to_bf16(x));
  return v;
}

template <class Traits>
void run_blocks(const Matmul& call, const MatmulPlan& plan) {
  CHECK_EQ(plan.block_m, Traits::kBlockM);
  const MatmulArguments arguments = matmul_arguments(call, plan);
  Block block(Traits::kThreads, Traits::kSharedBytes);
  // The splits in some order, as on a device.
  for (int i = 0; i < plan.splits; ++i)
    for (int b = 0; b < plan.blocks_m * plan.blocks_n; ++b)
      block.run(static_cast<unsigned>(b), [&] { MatmulLoop<Traits>(arguments).run(); }, static_cast<unsigned>((i + 1) % plan.splits));
}

template <class Format>
void run_format(const Matmul& call, const MatmulPlan& plan) {
  switch (plan.block_m) {
    case 16: return run_blocks<Rows16<Format>>(call, plan);
    case 64: return run_blocks<Rows64<Format>>(call, plan);
    default: return run_blocks<Rows128<Format>>(call, plan);
  }
}

void run(Matmul call, int multiprocessors) {
  static std::vector<std::byte> workspace(kMatmulWorkspaceBytes);  // zeros, as every run must leave its counters
  call.workspace = workspace.data();
  const MatmulPlan plan = plan_matmul(call.m, call.n, call.k, multiprocessors);
  if (call.type == DType::BF16) run_format<RowFormat>(call, plan);
  else with_format(call.type, [&](auto format) { run_format<decltype(format)>(call, plan); });
  for (size_t i = 0; i < kPartialsAt; ++i)
    if (workspace[i] != std::byte{0}) return test::failed(__FILE__, __LINE__, "a counter was left at other than zero");
}

// y of x [m][k] and the weights as float32, every operand right before a page that may not be touched.
std::vector<float> product(const Weights& w, DType as, const std::vector<uint16_t>& x, int m, int multiprocessors) {
  const Guarded<uint16_t> xs(x), rounded(w.rounded);
  const Guarded<std::byte> packed(w.packed);
  const Guarded<float> y(std::vector<float>(static_cast<size_t>(m * w.n), NAN));
  Matmul call{};
  call.type = as;
  call.w = as == DType::BF16 ? static_cast<const void*>(rounded.data()) : packed.data();
  call.w_stride = call.x_stride = call.k = w.k;
  call.x = xs.data();
  call.m = m;
  call.y_stride = call.n = w.n;
  call.y_f32 = y.data();
  run(call, multiprocessors);
  return {y.data(), y.data() + m * w.n};
}

// Largest error against the product in double, in units of the sum of the terms' magnitudes.
double error(const Weights& w, const std::vector<uint16_t>& x, int m, const std::vector<float>& y) {
  double worst = 0;
  for (int r = 0; r < m; ++r)
    for (int c = 0; c < w.n; ++c) {
      double sum = 0, magnitude = 1e-30;
      for (int i = 0; i < w.k; ++i) {
        const double term = static_cast<double>(bf16_to_f32(x[static_cast<size_t>(r * w.k + i)])) * bf16_to_f32(w.rounded[static_cast<size_t>(c * w.k + i)]);
        sum += term;
        magnitude += std::fabs(term);
      }
      const double e = std::fabs(y[static_cast<size_t>(r * w.n + c)] - sum) / magnitude;
      worst = e <= worst ? worst : e;  // NaN counts
    }
  return worst;
}

}  // namespace

TEST(single_values_are_those_of_the_tensor_layer) {
  Random random(1);
  for (const DType type : {DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_K, DType::Q5_K, DType::Q6_K}) {
    const int n = 5, k = 512;
    const Weights w(type == DType::F32 || type == DType::F16 ? DType::BF16 : type, n, k, random);
    std::vector<std::byte> stored(static_cast<size_t>(n) * row_bytes(type, k));
    quantize_rows(type, w.values.data(), n, k, stored.data());
    std::vector<float> expected(w.values.size());
    dequantize_rows(type, stored.data(), n, k, expected.data());
    for (int r = 0; r < n; ++r)
      for (int c = 0; c < k; ++c)
        if (stored_value(type, stored.data() + static_cast<size_t>(r) * row_bytes(type, k), c, k) != expected[static_cast<size_t>(r * k + c)])
          return test::failed(__FILE__, __LINE__, std::string(dtype_name(type)) + " value " + std::to_string(c));
  }
}

TEST(every_byte_of_a_block_counts) {
  // Random bytes, so every scale, minimum and high bit takes part; the scales of scales are set to a normal f16.
  Random random(2);
  for (const DType type : kQuantised) {
    const int k = 256, bytes = static_cast<int>(row_bytes(type, k));
    for (int round = 0; round < 50; ++round) {
      std::vector<std::byte> row(static_cast<size_t>(bytes));
      for (auto& b : row) b = static_cast<std::byte>(random.bits());
      const auto put_half = [&](int at) { row[static_cast<size_t>(at)] = std::byte{0x11}, row[static_cast<size_t>(at + 1)] = std::byte{0x2c}; };
      if (type == DType::Q8_0) for (int b = 0; b < bytes; b += 34) put_half(b);
      if (type == DType::Q4_K || type == DType::Q5_K) put_half(0), put_half(2);
      if (type == DType::Q6_K) put_half(208);
      std::vector<float> expected(static_cast<size_t>(k));
      dequantize_rows(type, row.data(), 1, k, expected.data());
      for (int c = 0; c < k; ++c) CHECK_EQ(stored_value(type, row.data(), c, k), expected[static_cast<size_t>(c)]);
    }
  }
}

TEST(packed_weights_are_about_as_large_as_stored_ones_and_all_written) {
  Random random(3);
  for (const DType type : kQuantised) {
    const Weights w(type, 96, 512, random);
    const double ratio = static_cast<double>(w.packed.size()) / static_cast<double>(w.stored.size());
    CHECK(ratio >= 1 && ratio < 1.04);
    // Packed over other bytes: the same.
    std::vector<std::byte> again(w.packed.size(), std::byte{0x11});
    pack_weight(type, w.stored.data(), w.n, w.k, again.data());
    CHECK(again == w.packed);
  }
  CHECK_EQ(packed_weight_bytes(DType::Q8_0, 33, 96), size_t{2 * 2 * 2176});  // whole units of 32 x 64
}

TEST(the_emulated_kernels_multiply) {
  Random random(4);
  struct Shape {
    int m, n, k, multiprocessors;
  };
  // Rows that fill no tile, columns that end within a warp's, splits (few blocks, many multiprocessors) and none.
  const Shape shapes[] = {{1, 66, 512, 1}, {16, 40, 1024, 100}, {17, 64, 512, 100}, {64, 130, 256, 1}, {70, 34, 512, 1}, {130, 130, 512, 100}};
  for (const Shape& s : shapes) {
    const auto x = bf16_normals(random, s.m * s.k);
    std::vector<float> plain;
    for (const DType type : kQuantised) {
      const Weights w(type, s.n, s.k, random);
      const std::vector<float> y = product(w, type, x, s.m, s.multiprocessors);
      if (const double e = error(w, x, s.m, y); !(e < 1e-6)) test::failed(__FILE__, __LINE__, std::string(dtype_name(type)) + " error " + std::to_string(e));
      // Multiplied from blocks or from the same weights expanded: the same operands in the same order.
      if (s.m <= kSkinnyRows) CHECK(product(w, DType::BF16, x, s.m, s.multiprocessors) == y);
    }
  }
}

TEST(k_may_end_within_a_unit) {
  Random random(5);
  for (const int k : {8, 32, 40, 96, 200, 1000}) {
    const Weights w(DType::BF16, 34, k, random);
    const auto x = bf16_normals(random, 20 * k);
    CHECK(error(w, x, 20, product(w, DType::BF16, x, 20, 8)) < 1e-6);
  }
  for (const int k : {32, 96, 480, 1376}) {
    const Weights w(DType::Q8_0, 34, k, random);
    const auto x = bf16_normals(random, 9 * k);
    CHECK(error(w, x, 9, product(w, DType::Q8_0, x, 9, 8)) < 1e-6);
  }
}

TEST(results_are_stored_with_bias_added_or_rounded) {
  Random random(6);
  for (const int m : {5, 40, 100}) {
    const int n = 36, k = 512, stride = 48;
    const Weights w(DType::Q4_K, n, k, random);
    const auto x = bf16_normals(random, m * k);
    const std::vector<float> plain = product(w, DType::Q4_K, x, m, 4), bias = random.normals(static_cast<size_t>(n)), old = random.normals(static_cast<size_t>(m * stride));
    std::vector<float> sum = old;
    std::vector<uint16_t> rounded(old.size(), 0x1234);
    Matmul call{DType::Q4_K, w.packed.data(), 0, x.data(), k, m, n, k, bias.data(), sum.data(), nullptr, stride, true, nullptr};
    run(call, 4);
    call.y_f32 = nullptr;
    call.y_bf16 = rounded.data();
    call.accumulate = false;
    run(call, 4);
    std::vector<uint16_t> twice = rounded;
    call.y_bf16 = twice.data();
    call.accumulate = true;
    run(call, 4);
    for (int r = 0; r < m; ++r)
      for (int c = 0; c < stride; ++c) {
        const auto at = static_cast<size_t>(r * stride + c);
        const float y = c < n ? plain[static_cast<size_t>(r * n + c)] + bias[static_cast<size_t>(c)] : 0;
        CHECK_EQ(sum[at], c < n ? old[at] + y : old[at]);  // between the rows nothing is written
        CHECK_EQ(rounded[at], c < n ? f32_to_bf16(y) : uint16_t{0x1234});
        CHECK_EQ(twice[at], c < n ? f32_to_bf16(bf16_to_f32(rounded[at]) + y) : uint16_t{0x1234});
      }
  }
}

TEST(a_row_does_not_depend_on_the_rows_beside_it) {
  Random random(7);
  const int k = 1024, n = 64;
  const Weights w(DType::Q6_K, n, k, random);
  const auto x = bf16_normals(random, 64 * k);
  const std::vector<float> all = product(w, DType::Q6_K, x, 64, 50);
  const std::vector<uint16_t> last(x.end() - 20 * k, x.end());
  CHECK(product(w, DType::Q6_K, last, 20, 50) == std::vector<float>(all.end() - 20 * n, all.end()));
}

TEST(plans_cover_k_once_and_fit_the_workspace) {
  Random random(8);
  for (int round = 0; round < 20000; ++round) {
    const int m = 1 + random.below(round % 2 == 0 ? 64 : 4000), n = 2 * (1 + random.below(12000)), k = 8 * (1 + random.below(2000));
    const int multiprocessors = 1 + random.below(200);
    const MatmulPlan plan = plan_matmul(m, n, k, multiprocessors);
    const int block_n = plan.block_m == 128 ? 128 : 64, units = (k + kUnitK - 1) / kUnitK, blocks = plan.blocks_m * plan.blocks_n;
    CHECK(plan.blocks_m * plan.block_m >= m && (plan.blocks_m - 1) * plan.block_m < m);
    CHECK(plan.blocks_n * block_n >= n && (plan.blocks_n - 1) * block_n < n);
    CHECK(plan.splits >= 1 && plan.splits * plan.units >= units && (plan.splits - 1) * plan.units < units);
    if (plan.splits == 1) continue;
    CHECK(blocks < 2 * multiprocessors && blocks <= kMatmulCounters);
    CHECK(kPartialsAt + static_cast<size_t>(plan.splits) * static_cast<size_t>(blocks * plan.block_m * block_n) * sizeof(float) <= kMatmulWorkspaceBytes);
  }
  // A 16-token query of the text model on an H200: every multiplication fills the device.
  for (const auto& [n, k] : {std::pair{2560, 2048}, {2048, 2048}, {22016, 2048}, {2048, 11008}}) {
    const MatmulPlan plan = plan_matmul(16, n, k, 132);
    CHECK(plan.blocks_m * plan.blocks_n * plan.splits >= 128);
  }
}

TEST(chunks_of_x_are_free_of_bank_conflicts) {
  for (int row = 0; row < 128; row += 2)
    for (int h = 0; h < 2; ++h) {
      uint32_t groups = 0;
      for (int lane = 0; lane < 8; ++lane) groups |= 1u << (x_place(row + lane / 4, 4 * h + lane % 4) / 16 % 8);
      CHECK_EQ(groups, 0xffu);
    }
}
