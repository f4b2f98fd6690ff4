#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/device_choice.h"
#include "api/guard.h"
#include "base/thread_pool.h"
#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"
#include "model/model.h"

using namespace e4j;

struct e4j_model {
  struct Replica {
    Model model;
    int sessions = 0;  // open now
    Replica(const ModelPaths& paths, std::unique_ptr<Backend> backend, int threads) : model(paths, std::move(backend), threads) {}
  };
  std::vector<std::unique_ptr<Replica>> replicas;  // one per device, the same weights
  std::mutex mutex;                                // of their counts
  std::string device_note;

  const Model& first() const { return replicas.front()->model; }
  // The replica with the fewest sessions, which has one more now.
  Replica& take() {
    std::lock_guard lock(mutex);
    Replica& least = **std::min_element(replicas.begin(), replicas.end(), [](const auto& a, const auto& b) { return a->sessions < b->sessions; });
    ++least.sessions;
    return least;
  }
  void give_back(Replica& replica) {
    std::lock_guard lock(mutex);
    --replica.sessions;
  }
};

namespace {

// A place at a replica, as long as the object lives.
class Place {
 public:
  explicit Place(e4j_model& model) : model_(model), replica_(model.take()) {}
  ~Place() { model_.give_back(replica_); }
  Place(const Place&) = delete;
  Model& model() const { return replica_.model; }

 private:
  e4j_model& model_;
  e4j_model::Replica& replica_;
};

}  // namespace

struct e4j_session {
  Place place;
  Session session;
  explicit e4j_session(e4j_model& model) : place(model), session(place.model()) {}
};

namespace {

// Cut at a character boundary to what fits.
template <size_t N>
void copy_cut(char (&to)[N], const std::string& from) {
  size_t n = std::min(from.size(), N - 1);
  if (n < from.size())
    while (n > 0 && (static_cast<unsigned char>(from[n]) & 0xC0) == 0x80) --n;
  std::memcpy(to, from.data(), n);
  to[n] = 0;
}

}  // namespace

extern "C" e4j_status e4j_model_open(const e4j_model_params* given, e4j_model** out, e4j_error* error) {
  return guarded(error, [&] {
    const size_t size = check_grown_struct(given, offsetof(e4j_model_params, device), "params");
    check_handle(out, "out");
    *out = nullptr;
    e4j_model_params all{};
    std::memcpy(&all, given, size);
    const e4j_model_params* params = &all;
    if (params->num_threads < 0 || params->num_threads > 4096)
      fail(E4J_INVALID_ARGUMENT, "params.num_threads is %d, expected 0 (all) to 4096", params->num_threads);
    if (params->num_adapters < 0 || params->num_adapters > 64)
      fail(E4J_INVALID_ARGUMENT, "params.num_adapters is %d, expected 0 to 64", params->num_adapters);
    if (params->text_path == nullptr) fail(E4J_INVALID_ARGUMENT, "params.text_path is NULL");
    if (params->num_adapters > 0) check_handle(params->adapter_paths, "params.adapter_paths");
    ModelPaths paths;
    paths.text = params->text_path;
    if (params->vision_path != nullptr) paths.vision = params->vision_path;
    if (params->multivector_path != nullptr) paths.multivector = params->multivector_path;
    for (int i = 0; i < params->num_adapters; ++i) {
      check_handle(params->adapter_paths[i], "params.adapter_paths[i]");
      paths.adapters.emplace_back(params->adapter_paths[i]);
    }
    const int threads = params->num_threads > 0 ? params->num_threads : usable_processors();
    const auto text = [](const char* path) { return std::string(path != nullptr ? path : ""); };
    auto model = std::make_unique<e4j_model>();
    DeviceChoice choice = parse_device(params->device);
    const bool fp8 = parse_precision(params->precision, choice);
    model->device_note = with_device(
        choice, [&] { return cpu::make_cpu_backend(threads); },
        [&](int index) { return cuda::make_cuda_backend({index, text(params->cuda_library), text(params->cublas_lt_library), fp8}); },
        [&] { return cuda::count_cuda_devices(text(params->cuda_library)); },
        [&](std::unique_ptr<Backend> backend) {
          model->replicas.push_back(std::make_unique<e4j_model::Replica>(paths, std::move(backend), threads));
        });
    *out = model.release();
  });
}

extern "C" void e4j_model_close(e4j_model* model) { delete model; }

extern "C" e4j_status e4j_model_get_info(const e4j_model* model, e4j_model_info* out, e4j_error* error) {
  return guarded(error, [&] {
    check_handle(model, "model");
    const size_t size = check_grown_struct(out, offsetof(e4j_model_info, device), "out");
    e4j_model_info info = model->first().info();
    const size_t devices = model->replicas.size();
    copy_cut(info.device, (devices > 1 ? std::to_string(devices) + " devices, the first: " : "") + model->first().backend().description());
    info.num_devices = static_cast<int32_t>(devices);
    copy_cut(info.device_note, model->device_note);
    info.struct_size = static_cast<uint32_t>(size);
    std::memcpy(out, &info, size);
  });
}

extern "C" e4j_status e4j_session_open(e4j_model* model, e4j_session** out, e4j_error* error) {
  return guarded(error, [&] {
    check_handle(model, "model");
    check_handle(out, "out");
    *out = nullptr;
    *out = new e4j_session(*model);
  });
}

extern "C" void e4j_session_close(e4j_session* session) { delete session; }

extern "C" e4j_status e4j_embed(e4j_session* session, const e4j_batch* batch, e4j_result* result, e4j_error* error) {
  return guarded(error, [&] {
    check_handle(session, "session");
    check_struct(batch, "batch");
    check_struct(result, "result");
    session->session.embed(*batch, *result);
  });
}
