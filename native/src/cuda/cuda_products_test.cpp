// Linear layers with adapters on the CUDA backend against the CPU's scalar one, in every form of weights. As cuda_backend_test, on
// the emulated device and on a GPU (bench/gpu/run.sh).
#include "cuda/cuda_products.h"

#include "two_backends.h"

using namespace e4j;
using namespace e4j::test;

namespace {

// What leads to weights as bf16 and as stored, or only as stored.
Backends as_both() {
  ModelSize size;
  size.values = 1000, size.stored_bytes = 1000;
  return Backends(size);
}
Backends as_stored() {
  ModelSize size;
  size.values = uint64_t{1} << 50, size.stored_bytes = 1000;
  return Backends(size);
}

void layer_agrees(Backends& b, const std::string& what, double tolerance, const Source& layer, const std::vector<float>& values,
                  std::span<const AdapterSegment> segments) {
  const int count = static_cast<int>(values.size()) / layer.source.in_features;
  b.compare(what.c_str(), tolerance, [&](Backend& backend, Workspace& ws) {
    test::Memories m;
    const auto turn = backend.begin(ws);
    const auto linear = backend.make_linear(layer.source);
    const Rows in = placed(backend, ws, values, count, m);
    RowMemory memory(backend);
    const Rows y = memory.rows(count, layer.source.out_features);
    backend.linear(ws, in, *linear, y, segments);
    return fetched(backend, ws, y);
  });
}

// One adapter for all rows, which lies beside the weights of bf16: each, and none.
void adapters_agree(Backends& b, double tolerance) {
  for (DType type : {DType::BF16, DType::Q8_0})
    for (int count : kCounts)
      for (int adapter = -1; adapter < 4; ++adapter) {
        Random random(7);
        Source layer(type, count % 2 == 1 ? 140 : 192, 256, true, 4, random);
        layer.source.may_round = true;
        const AdapterSegment all[] = {{0, count, adapter}};
        layer_agrees(b, std::string(dtype_name(type)) + " " + std::to_string(count) + " adapter " + std::to_string(adapter), tolerance, layer,
                     random.normals(static_cast<size_t>(count * 256)), all);
      }
}

void linear_layers_agree(Backends& b, double tolerance = kTolerance) {
  for (DType type : {DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_K, DType::Q5_K, DType::Q6_K})
    for (int count : kCounts) {
      Random random(3);
      const int out = count % 2 == 1 ? 140 : 192;  // stored weights are used where the outputs are a multiple of the padding
      Source layer(type, out, 256, true, 4, random);
      layer.source.may_round = true;
      std::vector<AdapterSegment> segments = {{0, 1, 2}};
      if (count > 1) segments = {{-4, 2, 2}, {2, 3, -1}, {3, count - 1, 0}, {count - 1, count + 9, 1 + count % 2 * 2}};  // as clipped by multi-vector ranges
      layer_agrees(b, std::string(dtype_name(type)) + " " + std::to_string(count), tolerance, layer, random.normals(static_cast<size_t>(count * 256)),
                   segments);
    }
  adapters_agree(b, tolerance);
}

}  // namespace

// Quantised weights in every form: as bf16, as stored, both.
TEST(linear_layers_with_adapters_agree) {
  Backends both = as_both(), stored = as_stored();
  CHECK(both.cuda->description().find("as bf16 and as stored") != std::string::npos);
  CHECK(stored.cuda->description().find("weights as stored") != std::string::npos);
  linear_layers_agree(backends());
  linear_layers_agree(both);
  linear_layers_agree(stored);
}

// Two chunks of rows; in the second, adapters of the outer slots have rows whose inner slots another adapter has filled in the first.
TEST(runs_of_many_rows_are_multiplied_one_by_one) {
  constexpr int kRows = cuda::kChunkRows, kIn = 64, kOut = 256, kMore = 3200;
  const AdapterSegment segments[] = {{-3, 1000, 0},     {1000, 2500, 1},          {2500, 2540, -1}, {2540, 2600, 3},
                                     {3000, kRows + 900, 2}, {kRows + 1100, kRows + 2400, 3}};
  CHECK(cuda::one_by_one(6, int64_t{4} * kRows * kOut, kIn) && cuda::one_by_one(4, int64_t{4} * kMore * kOut, kIn));
  CHECK(cuda::one_by_one(1, 1, kIn) && !cuda::one_by_one(2, int64_t{4} * 64 * kOut, kIn));
  Backends both = as_both();
  for (Backends* b : {&backends(), &both}) {
    Random random(8);
    const Source layer(DType::Q8_0, kOut, kIn, true, 4, random);
    layer_agrees(*b, "many runs", kTolerance, layer, random.normals(static_cast<size_t>(kRows + kMore) * kIn), segments);
  }
}

TEST(adapters_too_wide_to_lie_beside_the_weights_agree) {
  Random random(9);
  const Source layer(DType::BF16, 192, 256, true, 12, random);
  const AdapterSegment segments[] = {{0, 20, 11}, {20, 70, 3}};
  const std::vector<float> values = random.normals(70 * 256);
  layer_agrees(backends(), "two", kTolerance, layer, values, segments);
  layer_agrees(backends(), "one", kTolerance, layer, values, std::span(segments).first(1));
}

namespace {

// Three bits of fraction: two factors of relative error up to 2^-4 each, whose mean over a sum of many is about 0.035.
constexpr double kFp8Tolerance = 0.05, kFp8Least = 0.02;

void fp8_layers_agree(const char* words) {
  Backends b(ModelSize{}, true);
  if (b.cuda->description().find(words) == std::string::npos) test::failed(__FILE__, __LINE__, b.cuda->description());
  linear_layers_agree(b, kFp8Tolerance);
  CHECK(b.largest_error > kFp8Least);  // it was not bf16 that agreed
}

}  // namespace

TEST(linear_layers_in_fp8_agree_as_far_as_it_goes) {
  if (backends().cuda->description().find("emulated") == std::string::npos) return fp8_layers_agree("the text decoder in fp8");
  fp8_layers_agree("the text decoder in fp8, scaled by rows");
  {
    Variable ada("EMULATED_CAPABILITY", "89");
    fp8_layers_agree("the text decoder in fp8, scaled as a whole");
  }
  {
    Variable old("EMULATED_CUBLASLT_VERSION", "120800");
    fp8_layers_agree("the text decoder in fp8, scaled as a whole");
  }
  Variable ampere("EMULATED_CAPABILITY", "86");
  CHECK_THROWS(Backends(ModelSize{}, true), E4J_DEVICE_UNAVAILABLE, "cuda:0 (emulated GPU) has compute capability 8.6; fp8 needs 8.9 or newer");
}
