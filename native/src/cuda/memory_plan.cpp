#include "cuda/memory_plan.h"

#include <cstdio>
#include <vector>

#include "base/status.h"
#include "cuda/cublas_lt.h"

namespace e4j::cuda {

const char* weight_form_text(WeightForm form) noexcept {
  switch (form) {
    case WeightForm::kBoth: return "weights as bf16 and as stored";
    case WeightForm::kExpanded: return "weights as bf16";
    case WeightForm::kStored: return "weights as stored";
    case WeightForm::kFp8: return "the text decoder in fp8";
  }
  return "";
}

std::string bytes_text(uint64_t bytes) {
  char text[32];
  if (bytes < uint64_t{1} << 30)
    std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / 0x1p20);
  else
    std::snprintf(text, sizeof text, "%.2f GiB", static_cast<double>(bytes) / 0x1p30);
  return text;
}

uint64_t workspace_bytes(const ModelSize& size, int tokens) noexcept {
  const uint64_t hidden = static_cast<uint64_t>(padded(size.hidden_size, kPadding));
  const uint64_t ffn = static_cast<uint64_t>(padded(size.intermediate_size, kPadding));
  const uint64_t rows = static_cast<uint64_t>(tokens), chunk = rows < kChunkRows ? rows : kChunkRows;
  const uint64_t stream = 4 * hidden, qkv = 2 * 3 * hidden, normed = 2 * hidden, gate_up = 2 * 3 * ffn;
  // Beside the inputs of products: slots of 128 columns for each of three adapters (q, k and v of rank 32), which o needs half of.
  const uint64_t slots = size.adapter_values > 0 ? 2 * 3 * 128 : 0;
  return rows * (stream + qkv + slots + 1024) + chunk * (normed + gate_up + 2 * slots) + kGemmWorkspaceBytes + kMatmulWorkspaceBytes;
}

MemoryPlan plan_memory(const ModelSize& size, uint64_t free_bytes, const char* wanted, bool fp8) {
  const std::string word = wanted != nullptr ? wanted : "";
  if (!word.empty() && word != "expanded" && word != "stored" && word != "both")
    fail(E4J_INVALID_ARGUMENT, "EMBED4J_CUDA_WEIGHTS is \"%s\", expected expanded, stored or both", wanted);
  if (fp8 && !word.empty())
    fail(E4J_INVALID_ARGUMENT, "EMBED4J_CUDA_WEIGHTS is \"%s\", but the precision is fp8, which has one form of weights", wanted);
  // One part in sixteen for what padding adds.
  const uint64_t expanded = 2 * size.values + size.values / 8;
  const uint64_t stored = size.stored_bytes + size.stored_bytes / 16;
  const uint64_t tables = 2 * size.table_values, adapters = 2 * size.adapter_values + size.adapter_values / 8;
  // Beside W, from rank 32 and for three adapters, B takes at most four columns for every rank (q, k and v: 128 for 32), and A as many
  // rows (o and down: a slot of 64, and as much for the slot that the third adapter has between it and W).
  const uint64_t beside = 4 * 2 * size.adapter_values;
  const uint64_t workspace = workspace_bytes(size, kPlannedTokens);
  const bool quantised = size.stored_bytes < 2 * size.values;
  std::vector<MemoryPlan> forms;
  if (fp8) forms.push_back({WeightForm::kFp8, tables + adapters + expanded - size.decoder_values, workspace});
  else if (quantised && (word.empty() || word == "both")) forms.push_back({WeightForm::kBoth, tables + beside + expanded + stored, workspace});
  if (!fp8 && (!quantised || word.empty() || word == "expanded")) forms.push_back({WeightForm::kExpanded, tables + beside + expanded, workspace});
  if (!fp8 && quantised && (word.empty() || word == "stored")) forms.push_back({WeightForm::kStored, tables + adapters + stored, workspace});
  for (const MemoryPlan& plan : forms)
    if (plan.weight_bytes + plan.workspace_bytes <= free_bytes) return plan;
  fail(E4J_OUT_OF_MEMORY, "the model needs %s on the GPU for its weights and %s to work in, but %s is free",
       bytes_text(forms.back().weight_bytes).c_str(), bytes_text(workspace).c_str(), bytes_text(free_bytes).c_str());
}

}  // namespace e4j::cuda
