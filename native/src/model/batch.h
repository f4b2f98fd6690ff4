// The checks on a batch from the caller, and what is derived from it.
#pragma once
#include <span>
#include <vector>

#include "embed4j.h"
#include "ops/ops.h"

namespace e4j {

struct BatchLimits {
  int vocab_size, hidden_size, num_adapters, max_position, multi_vector_dim;
  int vision_patch_values, vision_merge_size;  // 0: no vision tower
};

// Fails with E4J_INVALID_ARGUMENT naming the field, the index, what was found and what was expected.
void check_batch(const e4j_batch& batch, const e4j_result& result, const BatchLimits& limits);

// Neighbouring sequences of the same adapter joined.
std::vector<AdapterSegment> adapter_segments(const e4j_batch& batch);

}  // namespace e4j
