#include "cuda/cuda_products.h"

#include <algorithm>

#include "base/status.h"

namespace e4j::cuda {
namespace {

// From how many bytes of y, for every value of K and every product more than one, runs are multiplied one by one. Another product
// leaves half of a wave of tiles empty, 2^21 results on 132 multiprocessors, and reads W again; where adapters are added to y first, y
// is read and written once more. At 146 operations in the time of a byte, as on an H200, both take as long near this.
constexpr int64_t kLeastBytes = 16384;

using Runs = std::vector<AdapterSegment>;

bool skinny(const Input& x, const Output& y, int n) noexcept { return x.rows <= kSkinnyRows && n % 2 == 0 && y.stride % 2 == 0; }

const float* bias(const std::unique_ptr<DeviceMemory>& memory, int first) noexcept { return memory ? memory->as<float>() + first : nullptr; }
const void* bias16(const std::unique_ptr<DeviceMemory>& memory) noexcept { return memory ? memory->data() : nullptr; }

// y = (or +=) W x, and with an adapter B t, which lies beside x.
void multiply_expanded(CudaWorkspace& ws, const LinearGroup& group, const Input& x, const Output& y, int n, bool accumulate, int adapter) {
  const Columns k = group.layout.multiplied(adapter);
  const uint16_t *from = x.x + k.first, *w = group.weights(0, k.first);
  const int64_t w_stride = group.layout.stride();
  if (skinny(x, y, n)) {
    ws.queue.add(Matmul{DType::BF16, w, w_stride, from, x.stride, x.rows, n, k.count, bias(group.bias_f32, 0), y.f32, y.bf16, y.stride, accumulate,
                        ws.matmul_memory.data()});
  } else {
    const void* b = y.f32 != nullptr ? static_cast<const void*>(bias(group.bias_f32, 0)) : bias16(group.bias_bf16);
    ws.queue.add(Gemm{x.rows, n, k.count, from, x.stride, w, w_stride, b, y.any(), y.stride, y.f32 != nullptr, accumulate, 1.0f});
  }
}

void multiply_fp8(CudaWorkspace& ws, const LinearGroup& group, const Input& x, const Output& y, int n, bool accumulate) {
  const int cols = group.layout.cols;
  uint8_t* rounded = ws.reserve<uint8_t>(ws.rounded, static_cast<size_t>(x.rows) * static_cast<size_t>(cols));
  float* scales = ws.reserve<float>(ws.scales, static_cast<size_t>(std::max(x.rows, 2)));
  ws.queue.add(QuantizeRows{x.x, x.stride, x.rows, cols, rounded, cols, scales, group.scale_rows});
  ws.queue.add(Gemm{x.rows, n, cols, rounded, cols, group.fp8->data(), cols, bias16(group.bias_bf16), y.any(), y.stride, y.f32 != nullptr,
                    accumulate, 1.0f, scales, group.fp8_scales->as<float>(), group.scale_rows});
}

void multiply_stored(CudaWorkspace& ws, const CudaLinear& member, const Input& x, const Output& y, bool accumulate) {
  ws.queue.add(Matmul{member.type, member.stored->data(), 0, x.x, x.stride, x.rows, member.out_features, member.in_features,
                      bias(member.group->bias_f32, member.first), y.f32, y.bf16, y.stride, accumulate, ws.matmul_memory.data()});
}

// t = scale * A x of every member in one product, beside x.
void shrink_beside(CudaWorkspace& ws, const LinearGroup& group, const Input& x, int adapter) {
  const LinearGroup::Adapter& shared = group.adapters[static_cast<size_t>(adapter)];
  const Columns t = group.layout.beside(adapter);
  const int cols = group.layout.cols;
  ws.queue.add(Gemm{x.rows, t.count, cols, x.x, x.stride, shared.a->as<uint16_t>(), cols, nullptr, x.x + t.first, x.stride, false, false, shared.scale});
}

// y = (or +=) B (scale A x)
void add_adapter(CudaWorkspace& ws, std::span<const CudaLinear* const> members, const Input& x, const Output& y, bool accumulate, int adapter) {
  const LinearGroup& group = *members[0]->group;
  const LinearGroup::Adapter& shared = group.adapters[static_cast<size_t>(adapter)];
  const int rank = shared.rank_padded, cols = group.layout.cols;
  uint16_t* t = ws.reserve_rows(ws.shrunk, x.rows, rank);
  ws.queue.add(Gemm{x.rows, rank, cols, x.x, x.stride, shared.a->as<uint16_t>() + int64_t{shared.first_row} * cols, cols, nullptr, t, rank, false,
                    false, shared.scale});
  for (const CudaLinear* member : members) {
    const CudaLinear::Adapter& own = member->adapters[static_cast<size_t>(adapter)];
    const Output to = y.at(0, member->first);
    ws.queue.add(Gemm{x.rows, y.bf16 != nullptr ? member->out_padded : member->out_features, own.rank_padded, t + own.first_rank, rank, own.b,
                      own.b_stride, nullptr, to.any(), to.stride, to.f32 != nullptr, accumulate, 1.0f});
  }
}

// y [rows][n] = (or +=) what each run's adapter adds, zeros where it has none. This comes before the layer's own product, whose
// accumulator takes it in as it is written out: y is read and written once less than if it were added to the finished product, and a
// sum in bf16 is rounded once.
void add_adapters(CudaWorkspace& ws, std::span<const CudaLinear* const> members, const Input& x, const Output& y, int n, bool accumulate,
                  const Runs& runs) {
  for (const AdapterSegment& run : runs) {
    const int rows = run.end - run.begin;
    const Output to = y.at(run.begin, 0);
    if (run.adapter >= 0)
      add_adapter(ws, members, x.at(run.begin, rows), to, accumulate, run.adapter);
    else if (!accumulate)
      ws.queue.add(ClearRows{to.any(), static_cast<size_t>(n) * y.value_bytes(), static_cast<size_t>(y.stride) * y.value_bytes(), rows});
  }
}

}  // namespace

Input reserve_input(CudaWorkspace& ws, DeviceScratch& scratch, int rows, const RowLayout& layout) {
  return {ws.reserve_rows(scratch, rows, layout.stride()) + layout.left, rows, layout.stride()};
}

bool one_by_one(size_t runs, int64_t y_bytes, int k) noexcept { return y_bytes >= kLeastBytes * k * (static_cast<int64_t>(runs) - 1); }

void multiply(CudaWorkspace& ws, std::span<const CudaLinear* const> members, const Input& x, const Output& y, bool accumulate,
              std::span<const AdapterSegment> segments) {
  const LinearGroup& group = *members[0]->group;
  E4J_CHECK(members[0]->members == members.size() && (y.f32 == nullptr || members.size() == 1) && (y.bf16 == nullptr || !accumulate));
  const int n = y.bf16 != nullptr ? group.out_padded : members[0]->out_features;
  const bool stored = group.has_stored && (!group.expanded || skinny(x, y, n));
  const Runs runs = filled(group.adapters.empty() ? std::span<const AdapterSegment>() : segments, x.rows);
  const int64_t y_bytes = static_cast<int64_t>(y.value_bytes()) * x.rows * n;
  if (group.layout.slot > 0 && !stored && one_by_one(runs.size(), y_bytes, group.layout.cols)) {
    for (const AdapterSegment& run : runs) {
      const Input part = x.at(run.begin, run.end - run.begin);
      if (run.adapter >= 0) shrink_beside(ws, group, part, run.adapter);
      multiply_expanded(ws, group, part, y.at(run.begin, 0), n, accumulate, run.adapter);
    }
    return;
  }
  if (runs.size() > 1 || runs[0].adapter >= 0) {
    add_adapters(ws, members, x, y, n, accumulate, runs);
    accumulate = true;
  }
  if (group.fp8) {
    multiply_fp8(ws, group, x, y, n, accumulate);
  } else if (stored) {
    for (const CudaLinear* member : members) multiply_stored(ws, *member, x, y.at(0, member->first), accumulate);
  } else {
    multiply_expanded(ws, group, x, y, n, accumulate, -1);
  }
}

}  // namespace e4j::cuda
