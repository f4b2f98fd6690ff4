#include "cuda/cuda_linear.h"

#include <algorithm>

#include "base/status.h"
#include "cuda/element.h"

namespace e4j::cuda {
namespace {

constexpr size_t kSliceBytes = size_t{64} << 20;  // of stored rows copied at once

bool quantised(DType type) noexcept { return type != DType::F32 && type != DType::F16 && type != DType::BF16; }

size_t bf16_bytes(int rows, int64_t cols) noexcept { return static_cast<size_t>(rows) * static_cast<size_t>(cols) * sizeof(uint16_t); }

// Of one adapter's A, each padded.
int sum_of_ranks(std::span<const LinearSource> sources, int adapter) {
  int sum = 0;
  for (const LinearSource& s : sources) {
    E4J_CHECK(s.adapters.size() == sources[0].adapters.size());
    sum += padded(static_cast<int>(s.adapters[static_cast<size_t>(adapter)].a->dims[1]), kRankPadding);
  }
  return sum;
}

}  // namespace

std::vector<AdapterSegment> clipped(std::span<const AdapterSegment> segments, int first, int rows) {
  std::vector<AdapterSegment> parts;
  for (const AdapterSegment& s : segments) {
    const int begin = std::max(s.begin, first), end = std::min(s.end, first + rows);
    if (begin < end) parts.push_back({begin - first, end - first, s.adapter});
  }
  return parts;
}

std::vector<AdapterSegment> filled(std::span<const AdapterSegment> segments, int rows) {
  std::vector<AdapterSegment> runs;
  const auto add = [&](int begin, int end, int adapter) {
    E4J_CHECK(begin <= end && end <= rows);
    if (begin == end) return;
    if (!runs.empty() && runs.back().adapter == adapter)
      runs.back().end = end;
    else
      runs.push_back({begin, end, adapter});
  };
  int done = 0;
  for (const AdapterSegment& s : segments) {
    add(done, s.begin, -1);
    add(s.begin, s.end, s.adapter);
    done = s.end;
  }
  add(done, rows, -1);
  return runs;
}

RowLayout RowLayout::of(int cols, int slot, int adapters) noexcept { return {cols, slot, (adapters + 1) / 2 * slot, adapters / 2 * slot}; }

int RowLayout::slot_at(int adapter) const noexcept {
  const int nearer = adapter / 2 * slot;
  return adapter % 2 == 0 ? -nearer - slot : cols + nearer;
}

Columns RowLayout::beside(int adapter) const noexcept {
  const int count = (adapter / 2 + 1) * slot;
  return {adapter % 2 == 0 ? -count : cols, count};
}

Columns RowLayout::multiplied(int adapter) const noexcept {
  if (adapter < 0) return {0, cols};
  const Columns t = beside(adapter);
  return {std::min(t.first, 0), cols + t.count};
}

WeightLoader::WeightLoader(const Device& device, bool scale_rows) : device_(device), raw_(device), bf16_(device), scale_rows_(scale_rows) {
  device.check(device.api().create_stream(&stream_), "making a stream");
}

WeightLoader::~WeightLoader() {
  device_.api().use(device_.index());
  device_.api().destroy_stream(stream_);
}

std::unique_ptr<DeviceMemory> WeightLoader::zeros(size_t bytes) {
  auto memory = std::make_unique<DeviceMemory>(device_, bytes);
  device_.check(device_.api().clear(memory->data(), bytes, stream_), "clearing memory");
  return memory;
}

std::unique_ptr<DeviceMemory> WeightLoader::floats(std::span<const float> values) {
  auto memory = std::make_unique<DeviceMemory>(device_, values.size_bytes());
  device_.check(device_.api().copy(memory->data(), values.data(), values.size_bytes(), stream_), "copying a vector");
  device_.check(device_.api().synchronize(stream_), "copying a vector");
  return memory;
}

void WeightLoader::expand(DType type, const std::byte* data, int rows, int cols, uint16_t* out, int64_t out_stride) {
  const size_t row = row_bytes(type, cols);
  const int slice = static_cast<int>(std::clamp<size_t>(kSliceBytes / row, 1, static_cast<size_t>(rows)));
  for (int first = 0; first < rows; first += slice) {
    const int count = std::min(slice, rows - first);
    std::byte* raw = raw_.reserve_for<std::byte>(static_cast<size_t>(count) * row);
    device_.check(device_.api().copy(raw, data + static_cast<size_t>(first) * row, static_cast<size_t>(count) * row, stream_), "copying weights");
    device_.check(device_.api().expand(type, raw, count, cols, out + first * out_stride, out_stride, stream_),
                  "expanding weights");
  }
  device_.check(device_.api().synchronize(stream_), "expanding weights");
}

std::vector<std::unique_ptr<Linear>> WeightLoader::load(std::span<const LinearSource> sources, WeightForm form) {
  const auto group = std::make_shared<LinearGroup>();
  group->layout.cols = padded(sources[0].in_features, kPadding);
  std::vector<std::unique_ptr<Linear>> linears;
  std::vector<CudaLinear*> members;
  for (const LinearSource& s : sources) {
    auto linear = std::make_unique<CudaLinear>();
    linear->type = s.type;
    linear->out_features = s.out_features;
    linear->in_features = s.in_features;
    linear->group = group;
    linear->place = members.size();
    linear->members = sources.size();
    linear->first = group->out_padded;
    linear->out_padded = padded(s.out_features, kPadding);
    group->out_padded += linear->out_padded;
    members.push_back(linear.get());
    linears.push_back(std::move(linear));
  }
  // Products of stored weights write no padding, which the next product would read.
  const bool storable = std::all_of(sources.begin(), sources.end(),
                                    [](const LinearSource& s) { return quantised(s.type) && s.out_features % kPadding == 0; });
  group->has_stored = storable && (form == WeightForm::kBoth || form == WeightForm::kStored);
  // cuBLASLt wants multiples of 16, also of a single layer's own outputs.
  const bool fp8 = form == WeightForm::kFp8 && std::all_of(sources.begin(), sources.end(),
                                                           [](const LinearSource& s) { return s.may_round && s.out_features % 16 == 0; });
  if (fp8) load_fp8(sources, *group, members);
  else if (!storable || form != WeightForm::kStored) make_room(sources, *group);
  for (size_t i = 0; i < sources.size(); ++i) {
    const LinearSource& s = sources[i];
    CudaLinear& linear = *members[i];
    if (group->expanded) {
      expand(s.type, s.weight, s.out_features, s.in_features, group->weights(linear.first, 0), group->layout.stride());
      linear.bytes += bf16_bytes(linear.out_padded, group->layout.stride());
    }
    if (group->has_stored) {
      const size_t bytes = static_cast<size_t>(s.out_features) * row_bytes(s.type, s.in_features);
      std::byte* raw = raw_.reserve_for<std::byte>(bytes);
      linear.stored = zeros(device_.api().packed_weight_bytes(s.type, s.out_features, s.in_features));
      device_.check(device_.api().copy(raw, s.weight, bytes, stream_), "copying weights");
      device_.check(device_.api().pack_weight(s.type, raw, s.out_features, s.in_features, linear.stored->data(), stream_), "packing weights");
      device_.check(device_.api().synchronize(stream_), "packing weights");
      linear.bytes += linear.stored->bytes();
    }
  }
  load_bias(sources, *group);
  for (int i = 0; i < static_cast<int>(sources[0].adapters.size()); ++i) load_adapter(i, sources, *group, members);
  return linears;
}

// For W and, where they are narrow enough, the adapters.
void WeightLoader::make_room(std::span<const LinearSource> sources, LinearGroup& group) {
  const int adapters = static_cast<int>(sources[0].adapters.size());
  int slot = 0;
  for (int i = 0; i < adapters; ++i) slot = std::max(slot, padded(sum_of_ranks(sources, i), kPadding));
  const RowLayout layout = RowLayout::of(group.layout.cols, slot, adapters);
  if (layout.left <= kMostBeside) group.layout = layout;
  group.expanded = zeros(bf16_bytes(group.out_padded, group.layout.stride()));
}

void WeightLoader::load_fp8(std::span<const LinearSource> sources, LinearGroup& group, std::span<CudaLinear* const> members) {
  const int cols = group.layout.cols;
  const size_t values = static_cast<size_t>(group.out_padded) * static_cast<size_t>(cols);
  uint16_t* bf16 = bf16_.reserve_for<uint16_t>(values);
  device_.check(device_.api().clear(bf16, values * sizeof(uint16_t), stream_), "clearing memory");
  for (size_t i = 0; i < sources.size(); ++i) {
    const LinearSource& s = sources[i];
    expand(s.type, s.weight, s.out_features, s.in_features, bf16 + int64_t{members[i]->first} * cols, cols);
    members[i]->bytes += static_cast<size_t>(members[i]->out_padded) * static_cast<size_t>(cols);
  }
  group.fp8 = std::make_unique<DeviceMemory>(device_, values);
  group.fp8_scales = std::make_unique<DeviceMemory>(device_, static_cast<size_t>(group.out_padded) * sizeof(float));
  group.scale_rows = scale_rows_;
  device_.check(device_.api().quantize_rows({bf16, cols, group.out_padded, cols, group.fp8->as<uint8_t>(), cols, group.fp8_scales->as<float>(),
                                             scale_rows_},
                                            stream_),
                "rounding weights to fp8");
  device_.check(device_.api().synchronize(stream_), "rounding weights to fp8");
}

void WeightLoader::load_bias(std::span<const LinearSource> sources, LinearGroup& group) {
  std::vector<float> bias;
  bool any = false;
  for (const LinearSource& s : sources) {
    const size_t first = bias.size();
    bias.resize(first + static_cast<size_t>(padded(s.out_features, kPadding)));
    if (s.bias != nullptr) std::copy_n(s.bias, s.out_features, bias.begin() + static_cast<ptrdiff_t>(first)), any = true;
  }
  if (!any) return;
  group.bias_f32 = floats(bias);
  std::vector<uint16_t> halves;
  for (const float value : bias) halves.push_back(to_bf16(value));
  group.bias_bf16 = std::make_unique<DeviceMemory>(device_, halves.size() * sizeof(uint16_t));
  device_.check(device_.api().copy(group.bias_bf16->data(), halves.data(), halves.size() * sizeof(uint16_t), stream_), "copying a bias");
  device_.check(device_.api().synchronize(stream_), "copying a bias");
}

void WeightLoader::load_adapter(int index, std::span<const LinearSource> sources, LinearGroup& group, std::span<CudaLinear* const> members) {
  const RowLayout& layout = group.layout;
  const bool beside = layout.slot > 0;
  const auto source = [index](const LinearSource& s) -> const LoraSource& { return s.adapters[static_cast<size_t>(index)]; };
  LinearGroup::Adapter shared;
  shared.scale = source(sources[0]).scale;
  shared.rank_padded = sum_of_ranks(sources, index);
  shared.first_row = beside ? layout.slot_at(index) - layout.beside(index).first : 0;
  shared.a = zeros(bf16_bytes(beside ? layout.beside(index).count : shared.rank_padded, layout.cols));
  members[0]->bytes += shared.a->bytes();
  int first_rank = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    const LinearSource& s = sources[i];
    E4J_CHECK(source(s).scale == shared.scale);
    const GgufTensor &a = *source(s).a, &b = *source(s).b;
    const int rank = static_cast<int>(a.dims[1]);
    expand(a.type, a.data, rank, s.in_features, shared.a->as<uint16_t>() + int64_t{shared.first_row + first_rank} * layout.cols, layout.cols);
    CudaLinear::Adapter own;
    own.first_rank = first_rank;
    own.rank_padded = padded(rank, kRankPadding);
    if (beside) {
      own.b = group.weights(members[i]->first, layout.slot_at(index) + first_rank);
      own.b_stride = layout.stride();
    } else {
      own.memory = zeros(bf16_bytes(members[i]->out_padded, own.rank_padded));
      own.b = own.memory->as<uint16_t>();
      own.b_stride = own.rank_padded;
      members[i]->bytes += own.memory->bytes();
    }
    expand(b.type, b.data, s.out_features, rank, own.b, own.b_stride);
    first_rank += own.rank_padded;
    members[i]->adapters.push_back(std::move(own));
  }
  group.rank_padded = std::max(group.rank_padded, shared.rank_padded);
  group.adapters.push_back(std::move(shared));
}

}  // namespace e4j::cuda
