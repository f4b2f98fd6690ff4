#include "api/guard.h"
#include "base/thread_pool.h"
#include "cpu/cpu_backend.h"
#include "model/model.h"

using namespace e4j;

struct e4j_model {
  Model model;
};

struct e4j_session {
  Session session;
};

extern "C" e4j_status e4j_model_open(const e4j_model_params* params, e4j_model** out, e4j_error* error) {
  return guarded(error, [&] {
    check_struct(params, "params");
    check_handle(out, "out");
    *out = nullptr;
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
    *out = new e4j_model{Model(paths, cpu::make_cpu_backend(threads), threads)};
  });
}

extern "C" void e4j_model_close(e4j_model* model) { delete model; }

extern "C" e4j_status e4j_model_get_info(const e4j_model* model, e4j_model_info* out, e4j_error* error) {
  return guarded(error, [&] {
    check_handle(model, "model");
    check_struct(out, "out");
    *out = model->model.info();
  });
}

extern "C" e4j_status e4j_session_open(e4j_model* model, e4j_session** out, e4j_error* error) {
  return guarded(error, [&] {
    check_handle(model, "model");
    check_handle(out, "out");
    *out = nullptr;
    *out = new e4j_session{Session(model->model)};
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
