// The CPU backend: every operation of ops.h on one persistent thread pool.
#pragma once
#include <memory>

#include "ops/ops.h"

namespace e4j::cpu {

// num_threads 0: every processor this process may use. Takes the tier selected now (dispatch.h).
std::unique_ptr<Backend> make_cpu_backend(int num_threads);

}  // namespace e4j::cpu
