// Graphs of calls that repeat, on the emulated device, which keeps what is queued during a capture and runs it at every launch;
// bench/gpu/run.sh runs the same tests on a GPU.
#include "cuda/call_queue.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "cuda/element.h"
#include "test.h"

using namespace e4j;
using namespace e4j::cuda;

namespace {

constexpr int kCols = 64;

// y = (x / rms(x)) W with W = 2, so that every kind of issuing takes part: a copy, a kernel, a product and a copy back.
struct QueuedCalls {
  Device device{"", 0};
  CublasLt cublas{""};
  std::unique_ptr<CallQueue> queue;
  Uploads uploads{device};
  std::unique_ptr<DeviceMemory> x, weight, normed, w, y;
  std::vector<float> result;

  QueuedCalls() {
    device.check(device.api().use(0), "use");
    cublas.open();
    queue = std::make_unique<CallQueue>(device, cublas);
    weight = filled(std::vector<float>(kCols, 1.0f));
    std::vector<uint16_t> diagonal(kCols * kCols);
    for (size_t i = 0; i < kCols; ++i) diagonal[i * (kCols + 1)] = to_bf16(2);
    w = std::make_unique<DeviceMemory>(device, diagonal.size() * 2);
    device.check(device.api().copy(w->data(), diagonal.data(), diagonal.size() * 2, nullptr), "copy");
    device.check(device.api().synchronize(nullptr), "copy");
    make_rows(1024);
  }
  std::unique_ptr<DeviceMemory> filled(const std::vector<float>& values) {
    auto memory = std::make_unique<DeviceMemory>(device, values.size() * sizeof(float));
    device.check(device.api().copy(memory->data(), values.data(), values.size() * sizeof(float), nullptr), "copy");
    return memory;
  }
  void make_rows(size_t rows) {
    x = std::make_unique<DeviceMemory>(device, rows * kCols * 4);
    normed = std::make_unique<DeviceMemory>(device, rows * kCols * 2);
    y = std::make_unique<DeviceMemory>(device, rows * kCols * 4);
  }

  // Row r's values are all `sign`; so is every value of its result, times 2.
  bool run(int rows, float sign) {
    queue->restart();
    uploads.reset();
    const size_t bytes = static_cast<size_t>(rows) * kCols * sizeof(float);
    float* in = reinterpret_cast<float*>(uploads.stage(bytes));
    float* out = reinterpret_cast<float*>(uploads.stage(bytes));
    std::fill_n(in, rows * kCols, sign * 3);
    std::fill_n(out, rows * kCols, 0.0f);
    queue->add(Transfer{x->data(), in, bytes});
    queue->add(NormRows{x->as<float>(), weight->as<float>(), rows, kCols, kCols, 1e-6f, nullptr, normed->as<uint16_t>(), kCols, kCols});
    queue->add(Gemm{rows, kCols, kCols, normed->as<uint16_t>(), kCols, w->as<uint16_t>(), kCols, nullptr, y->data(), kCols, true, false, 1.0f});
    queue->add(Transfer{out, y->data(), bytes});
    queue->finish();
    return std::all_of(out, out + rows * kCols, [&](float v) { return std::fabs(v - 2 * sign) < 0.01f; });
  }
};

struct Setting {
  explicit Setting(const char* value) { ::setenv("EMBED4J_CUDA_GRAPHS", value, 1); }
  ~Setting() { ::unsetenv("EMBED4J_CUDA_GRAPHS"); }
};

}  // namespace

TEST(the_second_of_equal_passes_becomes_a_graph_which_computes_on_what_is_there_now) {
  QueuedCalls pass;
  CHECK(pass.run(8, 1));
  CHECK(pass.queue->graphs() == 0 && pass.queue->replays() == 0);
  for (int i = 1; i <= 4; ++i) {
    CHECK(pass.run(8, i % 2 == 0 ? 1.0f : -1.0f));
    CHECK_EQ(pass.queue->graphs(), 1u);
    CHECK_EQ(pass.queue->replays(), static_cast<uint64_t>(i));
  }
}

TEST(another_shape_or_another_address_is_another_graph) {
  QueuedCalls pass;
  for (int i = 0; i < 3; ++i) CHECK(pass.run(8, 1) && pass.run(9, -1));
  CHECK(pass.queue->graphs() == 2 && pass.queue->replays() == 4);
  const auto old_x = std::move(pass.x), old_normed = std::move(pass.normed), old_y = std::move(pass.y);
  pass.make_rows(1024);
  CHECK(pass.run(8, -1));
  CHECK(pass.queue->graphs() == 2 && pass.queue->replays() == 4);  // issued
  CHECK(pass.run(8, 1));
  CHECK(pass.queue->graphs() == 3 && pass.queue->replays() == 5);
}

TEST(graphs_are_few_and_only_of_small_batches) {
  QueuedCalls pass;
  for (int times = 0; times < 2; ++times)
    for (int i = 1; i <= 40; ++i)
      for (int again = 0; again < 2; ++again) CHECK(pass.run(i, 1));
  CHECK_EQ(pass.queue->graphs(), CallQueue::kMostGraphs);
  const uint64_t before = pass.queue->replays();
  CHECK(pass.run(40, -1) && pass.run(9, -1) && pass.queue->replays() == before + 2);  // the latest 32 lengths are held
  CHECK(pass.run(8, -1) && pass.queue->replays() == before + 2);                      // the one before is not
  for (int i = 0; i < 3; ++i) CHECK(pass.run(CallQueue::kGraphRows + 1, 1));
  CHECK_EQ(pass.queue->replays(), before + 2);
}

TEST(graphs_can_be_switched_off) {
  {
    Setting off("off");
    QueuedCalls pass;
    for (int i = 0; i < 3; ++i) CHECK(pass.run(8, 1));
    CHECK(pass.queue->graphs() == 0 && pass.queue->replays() == 0);
  }
  Setting wrong("maybe");
  CHECK_THROWS(QueuedCalls{}, E4J_INVALID_ARGUMENT, "EMBED4J_CUDA_GRAPHS is \"maybe\"");
}

TEST(a_pass_that_fails_leaves_nothing_behind) {
  QueuedCalls pass;
  CHECK(pass.run(8, 1));
  pass.queue->add(FlashAttention{});  // never issued: the next pass begins
  CHECK(pass.run(8, -1));
  pass.queue->restart();
  pass.queue->add(Gemm{1, 1, 1, nullptr, 0, nullptr, 0, nullptr, nullptr, 0, true, false, 1.0f});
  CHECK_THROWS(pass.queue->finish(), E4J_INTERNAL, "cuBLASLt: ");
  // Of a large batch each call is issued, and may fail, as it comes.
  pass.queue->restart();
  pass.queue->add(NormRows{pass.x->as<float>(), pass.weight->as<float>(), CallQueue::kGraphRows + 1, kCols, kCols, 1e-6f, nullptr,
                           pass.normed->as<uint16_t>(), kCols, kCols});
  CHECK_THROWS(pass.queue->add(Gemm{1, 1, 1, nullptr, 0, nullptr, 0, nullptr, nullptr, 0, true, false, 1.0f}), E4J_INTERNAL, "cuBLASLt: ");
  CHECK(pass.run(8, 1) && pass.run(8, -1));
}

// What a GPU would refuse or trip over, the emulated one does too.
TEST(the_emulated_device_is_strict) {
  QueuedCalls pass;
  if (std::strstr(pass.device.info().name, "emulated") == nullptr) return;
  const DeviceApi& api = pass.device.api();
  Stream stream = nullptr;
  CHECK_EQ(api.create_stream(&stream), 0);
  const FloatRows rows{pass.x->as<float>(), 1, kCols, kCols};
  CHECK_EQ(api.begin_capture(stream), 0);
  void* memory = nullptr;
  CHECK(api.allocate(&memory, 16) != 0 && api.synchronize(stream) != 0 && memory == nullptr);
  CHECK_EQ(api.normalize_rows(rows, stream), 0);
  Graph graph = nullptr;
  CHECK(api.end_capture(stream, &graph) == 0 && api.launch_graph(graph, stream) == 0);
  pass.x = nullptr;
  CHECK(api.launch_graph(graph, stream) != 0);  // its memory is gone
  CHECK(api.normalize_rows(rows, stream) != 0);
  const FloatRows alive{pass.y->as<float>(), 1, kCols, kCols};
  CHECK_EQ(api.normalize_rows(alive, stream), 0);
  ::setenv("EMULATED_DEVICES", "2", 1);
  CHECK_EQ(api.use(1), 0);
  CHECK(api.normalize_rows(alive, stream) != 0 && api.synchronize(stream) != 0);  // a stream of another device
  Stream other = nullptr;
  CHECK(api.create_stream(&other) == 0 && api.normalize_rows(alive, other) != 0);  // memory of another device
  CHECK(api.use(2) != 0);
  ::unsetenv("EMULATED_DEVICES");
  CHECK(api.use(0) == 0 && api.destroy_graph(graph) == 0 && api.destroy_stream(stream) == 0 && api.destroy_stream(other) == 0);
}
