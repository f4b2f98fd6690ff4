// Which device a model is opened on, and every way in which a GPU can be refused. No driver is needed: libembed4j_cuda and
// cuBLASLt are emulated (src/cuda/emulated), and told what to pretend by environment variables.
#include "api/device_choice.h"

#include <cstddef>
#include <cstdlib>
#include <thread>

#include "cuda/device_library.h"
#include "small_model.h"
#include "test.h"

using namespace e4j;
using namespace e4j::test;

namespace {

// Set as long as the object lives.
struct Variable {
  const char* name;
  Variable(const char* n, const std::string& value) : name(n) { ::setenv(name, value.c_str(), 1); }
  ~Variable() { ::unsetenv(name); }
};

struct EmulatedGpu {
  Variable library{"EMBED4J_CUDA_LIBRARY", EMULATED_CUDA_LIBRARY};
  Variable cublas{"EMBED4J_CUBLASLT_LIBRARY", EMULATED_CUBLASLT_LIBRARY};
};

e4j_model_info info_of(const Model& m) {
  e4j_model_info info{};
  info.struct_size = sizeof info;
  check(e4j_model_get_info(m.model, &info, nullptr), m.error);
  return info;
}

// "cuda" fails with the stable code and these words; "auto" opens on the CPU and keeps them as its note.
void refused(const Files& files, const std::string& part, const char* device = "cuda") {
  CHECK_THROWS(Model(files, true, true, 2, device), E4J_DEVICE_UNAVAILABLE, part.c_str());
  if (std::strcmp(device, "cuda") != 0) return;
  Model m(files, true, true, 2, "auto");
  const e4j_model_info info = info_of(m);
  CHECK(std::strncmp(info.device, "cpu ", 4) == 0);
  if (std::strstr(info.device_note, part.c_str()) == nullptr) failed(__FILE__, __LINE__, std::string("the note is: ") + info.device_note);
  Batch b;
  b.run(m);
}

uint64_t emulated_used(int index) {
  const cuda::Device device("", index);
  device.check(device.api().use(index), "use");
  return device.info().total_bytes - device.free_bytes();
}

}  // namespace

TEST(devices_are_spelled) {
  using Kind = DeviceChoice::Kind;
  CHECK(parse_device(nullptr).kind == Kind::kCpu && parse_device("cpu").kind == Kind::kCpu);
  CHECK(parse_device("auto").kind == Kind::kAuto && parse_device("auto").index == 0);
  CHECK(parse_device("cuda").kind == Kind::kCuda && parse_device("cuda").index == 0);
  CHECK(parse_device("cuda:7").kind == Kind::kCuda && parse_device("cuda:7").index == 7);
  CHECK(parse_device("cuda:all").kind == Kind::kAll);
  for (const char* text : {"", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:x", "cuda:1x", "cuda:99999999999", "cuda 1", "cpu:0"})
    CHECK_THROWS(parse_device(text), E4J_INVALID_ARGUMENT, "params.device is \"");
}

TEST(every_refusal_says_what_was_looked_for) {
  Files files;
  write_all(files);
  const std::string text = files.text;
  {
    Variable library("EMBED4J_CUDA_LIBRARY", "/nowhere/libembed4j_cuda.so");
    refused(files, "/nowhere/libembed4j_cuda.so: ");
    refused(files, "linux-x86_64-cuda");
  }
  {
    Variable library("EMBED4J_CUDA_LIBRARY", text);  // not a library
    refused(files, text + ": ");
  }
  {
    Variable library("EMBED4J_CUDA_LIBRARY", EMULATED_CUBLASLT_LIBRARY);  // another library
    refused(files, "has no function e4j_cuda_device_api");
  }
  EmulatedGpu gpu;
  const auto when = [&](const char* name, const char* value, const std::string& part) {
    Variable variable(name, value);
    refused(files, part);
  };
  when("EMULATED_VERSION", "4711", "use both from one build");
  when("EMULATED_DRIVER", "0", "no NVIDIA driver is installed (libcuda.so.1");
  when("EMULATED_DRIVER", "12040", "is of CUDA 12.4; this build needs one of CUDA 13.0 or newer");
  when("EMULATED_DEVICES", "0", "sees no GPU");
  when("EMULATED_CAPABILITY", "75", "has compute capability 7.5; 8.0 or newer is needed");
  when("EMBED4J_CUBLASLT_LIBRARY", "/nowhere/libcublasLt.so.13", "/nowhere/libcublasLt.so.13: ");
  ::setenv("EMBED4J_CUBLASLT_LIBRARY", EMULATED_CUDA_LIBRARY, 1);
  refused(files, "has no function cublasLtGetVersion: it is not cuBLASLt");
  ::setenv("EMBED4J_CUBLASLT_LIBRARY", EMULATED_CUBLASLT_LIBRARY, 1);
  when("EMULATED_CUBLASLT_VERSION", "111103", "is cuBLASLt 111103; 120000 (CUDA 12.0) or newer is needed");
  when("EMULATED_CUBLASLT_STATUS", "1", "cannot be started on this GPU: cuBLAS status 1");
  refused(files, "there is no device cuda:3; this machine has 1", "cuda:3");
  write_all(files, true);
  refused(files, "the model's files are packed for the CPU");
}

TEST(a_missing_library_is_looked_for_beside_this_one_and_by_name) {
  Files files;
  write_all(files);
  ::unsetenv("EMBED4J_CUDA_LIBRARY");
  // A path from the caller is taken alone.
  e4j_error error{sizeof(e4j_error), 0, {}};
  e4j_model* model = nullptr;
  e4j_model_params p{sizeof p, 1, files.text.c_str(), nullptr, nullptr, nullptr, 0, 0, "cuda", "/chosen/libembed4j_cuda.so", nullptr, nullptr};
  CHECK_EQ(e4j_model_open(&p, &model, &error), E4J_DEVICE_UNAVAILABLE);
  CHECK(std::strstr(error.message, "/chosen/libembed4j_cuda.so: ") != nullptr && std::strstr(error.message, "\n  libembed4j_cuda.so") == nullptr);
  p.device = "gpu";
  CHECK_EQ(e4j_model_open(&p, &model, &error), E4J_INVALID_ARGUMENT);
  CHECK(std::strstr(error.message, "params.device is \"gpu\", expected \"cpu\", \"cuda\", \"cuda:N\"") != nullptr);
  CHECK(model == nullptr);
}

TEST(memory_that_does_not_suffice_is_an_error_with_both_numbers_or_a_note) {
  Files files;
  write_all(files);
  EmulatedGpu gpu;
  Variable bytes("EMULATED_BYTES", std::to_string(1 << 20));
  CHECK_THROWS(Model(files, true, true, 2, "cuda"), E4J_OUT_OF_MEMORY, "to work in, but 1.0 MiB is free");
  Model m(files, true, true, 2, "auto");
  CHECK(std::strncmp(info_of(m).device, "cpu ", 4) == 0 && std::strstr(info_of(m).device_note, "1.0 MiB is free") != nullptr);
}

TEST(a_batch_that_does_not_fit_is_an_error_and_the_session_lives_on) {
  Files files;
  write_all(files);
  EmulatedGpu gpu;
  Model m(files, true, true, 2, "cuda");
  Batch b;
  {
    Variable bytes("EMULATED_BYTES", std::to_string(1 << 20));
    CHECK_THROWS(b.run(m), E4J_OUT_OF_MEMORY, "more are needed, 0.0 MiB of ");
  }
  b.run(m);
  const std::vector<float> first = b.pooled_out;
  {
    Variable status("EMULATED_CUBLASLT_STATUS", "15");  // no algorithm for a shape not seen before
    Batch other;
    other.adapters = {-1, 0};
    CHECK_THROWS(other.run(m), E4J_INTERNAL, "cuBLASLt: no algorithm for m 3, n ");
  }
  b.run(m);
  CHECK(b.pooled_out == first);
}

TEST(what_runs_says_so) {
  Files files;
  write_all(files);
  Model cpu(files);
  CHECK(std::strncmp(info_of(cpu).device, "cpu ", 4) == 0 && info_of(cpu).device_note[0] == 0);
  EmulatedGpu gpu;
  for (const char* device : {"cuda", "cuda:0", "auto"}) {
    Model m(files, true, true, 2, device);
    const e4j_model_info info = info_of(m);
    if (std::string(info.device) != "cuda:0 emulated GPU (compute capability 9.0, 8.00 GiB), CUDA 13.0, cuBLASLt 13.0.0, weights as bf16")
      failed(__FILE__, __LINE__, info.device);
    CHECK(info.device_note[0] == 0);
  }
}

TEST(fp8_is_for_gpus_that_have_it) {
  DeviceChoice cuda = parse_device("cuda:3"), any = parse_device("auto"), cpu = parse_device("cpu");
  CHECK(!parse_precision(nullptr, cpu) && !parse_precision("model", any) && any.kind == DeviceChoice::Kind::kAuto);
  CHECK(parse_precision("fp8", cuda) && cuda.kind == DeviceChoice::Kind::kCuda && cuda.index == 3);
  CHECK(parse_precision("fp8", any) && any.kind == DeviceChoice::Kind::kCuda);
  CHECK_THROWS(parse_precision("fp8", cpu), E4J_INVALID_ARGUMENT, "needs an NVIDIA GPU of compute capability 8.9 or newer, but the device is the CPU");
  for (const char* text : {"", "FP8", "bf16", "fp4"})
    CHECK_THROWS(parse_precision(text, cuda), E4J_INVALID_ARGUMENT, "params.precision is \"");
  Files files;
  write_all(files);
  EmulatedGpu gpu;
  Model m(files, true, true, 2, "auto", "fp8");
  CHECK(std::strstr(info_of(m).device, "cuBLASLt 13.0.0, the text decoder in fp8, scaled by rows") != nullptr);
  Batch b;
  b.run(m);
  CHECK_THROWS(Model(files, true, true, 2, "cpu", "fp8"), E4J_INVALID_ARGUMENT, "but the device is the CPU");
  Variable ampere("EMULATED_CAPABILITY", "80");
  CHECK_THROWS(Model(files, true, true, 2, "auto", "fp8"), E4J_DEVICE_UNAVAILABLE, "has compute capability 8.0; fp8 needs 8.9 or newer");
}

// Each thread has a device of its own, and work or memory of another device is an error (src/cuda/emulated/device.h).
TEST(a_model_on_all_gpus_spreads_its_sessions) {
  Files files;
  write_all(files);
  EmulatedGpu gpu;
  Variable devices("EMULATED_DEVICES", "3");
  Model m(files, true, true, 2, "cuda:all");
  CHECK_EQ(info_of(m).num_devices, 3);
  CHECK(std::strncmp(info_of(m).device, "3 devices, the first: cuda:0 emulated GPU", 41) == 0);
  std::vector<float> expected;
  {
    Model one(files, true, true, 2, "cuda:2");
    CHECK_EQ(info_of(one).num_devices, 1);
    Batch b;
    b.run(one);
    expected = b.pooled_out;
  }
  // The model has a session already: five more are two on each device. All run at once, from threads of their own, twice.
  std::vector<e4j_session*> sessions = {m.session};
  for (int i = 0; i < 5; ++i) {
    e4j_session* session = nullptr;
    check(e4j_session_open(m.model, &session, &m.error), m.error);
    sessions.push_back(session);
  }
  std::vector<std::string> wrong(sessions.size());
  for (int pass = 0; pass < 2; ++pass) {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < sessions.size(); ++i)
      threads.emplace_back([&, i] {
        Batch b;
        e4j_error error{sizeof(e4j_error), 0, {}};
        if (e4j_embed(sessions[i], &b.batch, &b.result, &error) != E4J_OK) wrong[i] = error.message;
        else if (b.pooled_out != expected) wrong[i] = "another vector";
      });
    for (std::thread& t : threads) t.join();
    for (const std::string& text : wrong)
      if (!text.empty()) failed(__FILE__, __LINE__, text);
  }
  for (size_t i = 1; i < sessions.size(); ++i) e4j_session_close(sessions[i]);
  Variable none("EMULATED_DEVICES", "0");
  CHECK_THROWS(Model(files, true, true, 2, "cuda:all"), E4J_DEVICE_UNAVAILABLE, "sees no GPU");
}

// Sessions go where the fewest are: with memory for one model's sessions on each device, it is all used.
TEST(sessions_go_to_the_device_with_the_fewest) {
  Files files;
  write_all(files);
  EmulatedGpu gpu;
  Variable devices("EMULATED_DEVICES", "2");
  Model m(files, true, true, 2, "cuda:all");
  uint64_t used[2] = {}, before[2] = {};
  const auto look = [&](uint64_t (&to)[2]) {
    for (int i = 0; i < 2; ++i) to[i] = emulated_used(i);
  };
  look(before);
  e4j_session *second = nullptr, *third = nullptr;
  check(e4j_session_open(m.model, &second, &m.error), m.error);
  look(used);
  CHECK(used[0] == before[0] && used[1] > before[1]);
  e4j_session_close(m.session);
  m.session = nullptr;
  check(e4j_session_open(m.model, &third, &m.error), m.error);
  look(before);
  CHECK(before[0] == used[0] && before[1] == used[1]);  // in the place of the one that was closed
  e4j_session_close(second);
  e4j_session_close(third);
}

TEST(structs_of_callers_built_before_there_were_devices_are_taken) {
  Files files;
  write_all(files);
  EmulatedGpu gpu;
  e4j_model_params p{};
  p.struct_size = offsetof(e4j_model_params, device);
  CHECK_EQ(p.struct_size, 48u);
  p.text_path = files.text.c_str();
  p.device = "beyond the caller's struct";
  e4j_model* model = nullptr;
  CHECK_EQ(e4j_model_open(&p, &model, nullptr), E4J_OK);
  e4j_model_info info{};
  info.struct_size = offsetof(e4j_model_info, device);
  CHECK_EQ(info.struct_size, 64u);
  info.device[0] = 'x';
  CHECK_EQ(e4j_model_get_info(model, &info, nullptr), E4J_OK);
  CHECK(info.device[0] == 'x' && info.hidden_size == kHidden && info.struct_size == 64);
  e4j_model_close(model);
  p.struct_size = 49;
  CHECK_EQ(e4j_model_open(&p, &model, nullptr), E4J_INVALID_ARGUMENT);
}
