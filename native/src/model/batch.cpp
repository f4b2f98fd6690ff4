#include "model/batch.h"

#include <algorithm>

#include "base/status.h"

namespace e4j {
namespace {

constexpr int kMaxTokens = 1 << 20;
constexpr int kMaxPatches = 1 << 22;

void require(bool ok, const char* field, long long index, long long found, const char* expected) {
  if (!ok) fail(E4J_INVALID_ARGUMENT, "batch.%s[%lld] is %lld, expected %s", field, index, found, expected);
}

void require_pointer(const void* p, bool needed, const char* field) {
  if (needed && p == nullptr) fail(E4J_INVALID_ARGUMENT, "%s is NULL", field);
}

void require_count(int64_t count, int64_t low, int64_t high, const char* field) {
  if (count < low || count > high)
    fail(E4J_INVALID_ARGUMENT, "batch.%s is %lld, expected %lld to %lld", field, static_cast<long long>(count),
         static_cast<long long>(low), static_cast<long long>(high));
}

// Each range non-empty and inside one sequence; returns the sum of their lengths.
int64_t check_ranges(const e4j_batch& b, const int32_t* ranges, int count, const char* field) {
  int64_t rows = 0;
  const int32_t* end_of_seqlens = b.cu_seqlens + b.num_sequences + 1;
  for (int i = 0; i < count; ++i) {
    const int32_t begin = ranges[2 * i], end = ranges[2 * i + 1];
    require(begin >= 0 && begin < b.num_tokens, field, 2 * i, begin, "a token of the batch");
    require(end > begin && end <= b.num_tokens, field, 2 * i + 1, end, "an end after its begin, inside the batch");
    const int32_t* next = std::upper_bound(b.cu_seqlens, end_of_seqlens, begin);
    require(end <= *next, field, 2 * i + 1, end, "an end inside the sequence where the range begins");
    rows += end - begin;
  }
  return rows;
}

void check_images(const e4j_batch& b, const BatchLimits& limits) {
  if (b.num_images == 0) {
    require_count(b.num_patches, 0, 0, "num_patches (num_images is 0)");
    return;
  }
  if (limits.vision_patch_values == 0) fail(E4J_UNSUPPORTED, "the batch has images, but the model was opened without a vision tower");
  const int64_t merge = limits.vision_merge_size;
  int64_t patches = 0;
  for (int i = 0; i < b.num_images; ++i) {
    const int32_t* g = b.grid_thw + 3 * i;
    require(g[0] == 1, "grid_thw", 3 * i, g[0], "1 (still images)");
    for (int axis = 1; axis < 3; ++axis)
      require(g[axis] > 0 && g[axis] <= 8192 && g[axis] % merge == 0, "grid_thw", 3 * i + axis, g[axis], "a positive multiple of the merge size");
    patches += static_cast<int64_t>(g[1]) * g[2];
  }
  if (patches != b.num_patches)
    fail(E4J_INVALID_ARGUMENT, "batch.num_patches is %d, expected %lld, the sum over grid_thw", b.num_patches, static_cast<long long>(patches));
  const int rows = static_cast<int>(patches / (merge * merge));
  std::vector<bool> used(static_cast<size_t>(b.num_tokens));
  for (int i = 0; i < rows; ++i) {
    const int32_t row = b.image_rows[i];
    require(row >= 0 && row < b.num_tokens && !used[static_cast<size_t>(row)], "image_rows", i, row, "a token of the batch, each once");
    used[static_cast<size_t>(row)] = true;
  }
}

}  // namespace

void check_batch(const e4j_batch& b, const e4j_result& result, const BatchLimits& limits) {
  require_count(b.num_tokens, 1, kMaxTokens, "num_tokens");
  require_count(b.num_sequences, 1, b.num_tokens, "num_sequences");
  require_count(b.num_images, 0, b.num_sequences, "num_images");
  require_count(b.num_patches, 0, kMaxPatches, "num_patches");
  require_count(b.num_pooled, 0, kMaxTokens, "num_pooled");
  require_count(b.num_multi_vector, 0, b.num_tokens, "num_multi_vector");
  require_count(b.background, 0, 1, "background");
  require_pointer(b.token_ids, true, "batch.token_ids");
  require_pointer(b.position_ids, true, "batch.position_ids");
  require_pointer(b.cu_seqlens, true, "batch.cu_seqlens");
  require_pointer(b.adapters, true, "batch.adapters");
  require_pointer(b.patches, b.num_images > 0, "batch.patches");
  require_pointer(b.grid_thw, b.num_images > 0, "batch.grid_thw");
  require_pointer(b.image_rows, b.num_images > 0, "batch.image_rows");
  require_pointer(b.pooled_ranges, b.num_pooled > 0, "batch.pooled_ranges");
  require_pointer(b.multi_vector_ranges, b.num_multi_vector > 0, "batch.multi_vector_ranges");
  require_pointer(result.pooled, b.num_pooled > 0, "result.pooled");
  require_pointer(result.multi_vectors, b.num_multi_vector > 0, "result.multi_vectors");

  for (int i = 0; i < b.num_tokens; ++i)
    require(b.token_ids[i] >= 0 && b.token_ids[i] < limits.vocab_size, "token_ids", i, b.token_ids[i], "an id of the vocabulary");
  for (int i = 0; i < 3 * b.num_tokens; ++i)
    require(b.position_ids[i] >= 0 && b.position_ids[i] < limits.max_position, "position_ids", i, b.position_ids[i],
            "0 to the model's context length");
  require(b.cu_seqlens[0] == 0, "cu_seqlens", 0, b.cu_seqlens[0], "0");
  for (int i = 0; i < b.num_sequences; ++i) {
    require(b.cu_seqlens[i + 1] > b.cu_seqlens[i] && b.cu_seqlens[i + 1] <= b.num_tokens, "cu_seqlens", i + 1, b.cu_seqlens[i + 1],
            "more than the one before, at most num_tokens");
    require(b.adapters[i] >= -1 && b.adapters[i] < limits.num_adapters, "adapters", i, b.adapters[i], "-1 or an adapter of the model");
  }
  require(b.cu_seqlens[b.num_sequences] == b.num_tokens, "cu_seqlens", b.num_sequences, b.cu_seqlens[b.num_sequences], "num_tokens");
  check_images(b, limits);
  check_ranges(b, b.pooled_ranges, b.num_pooled, "pooled_ranges");
  const int64_t rows = check_ranges(b, b.multi_vector_ranges, b.num_multi_vector, "multi_vector_ranges");
  if (rows > 0 && limits.multi_vector_dim == 0)
    fail(E4J_UNSUPPORTED, "the batch asks for multi-vectors, but the model was opened without a multi-vector head");
  if (rows > kMaxTokens) fail(E4J_INVALID_ARGUMENT, "batch.multi_vector_ranges hold %lld rows, expected at most %d", static_cast<long long>(rows), kMaxTokens);
  const uint64_t pooled = static_cast<uint64_t>(b.num_pooled) * static_cast<uint64_t>(limits.hidden_size);
  const uint64_t multi = static_cast<uint64_t>(rows) * static_cast<uint64_t>(limits.multi_vector_dim);
  if (result.pooled_floats != pooled || result.multi_vector_floats != multi)
    fail(E4J_INVALID_ARGUMENT, "result has room for %llu pooled and %llu multi-vector floats, expected %llu and %llu",
         static_cast<unsigned long long>(result.pooled_floats), static_cast<unsigned long long>(result.multi_vector_floats),
         static_cast<unsigned long long>(pooled), static_cast<unsigned long long>(multi));
}

std::vector<AdapterSegment> adapter_segments(const e4j_batch& b) {
  std::vector<AdapterSegment> segments;
  for (int i = 0; i < b.num_sequences; ++i) {
    if (!segments.empty() && segments.back().adapter == b.adapters[i])
      segments.back().end = b.cu_seqlens[i + 1];
    else
      segments.push_back({b.cu_seqlens[i], b.cu_seqlens[i + 1], b.adapters[i]});
  }
  return segments;
}

}  // namespace e4j
