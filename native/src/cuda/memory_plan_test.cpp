// How memory is divided, and the index arithmetic of layers and kernels, against plain statements of what they must be.
#include "cuda/memory_plan.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "cuda/cuda_linear.h"
#include "cuda/element.h"
#include "random.h"
#include "tensor/convert.h"
#include "test.h"

using namespace e4j;
using namespace e4j::cuda;

namespace {

// jina-embeddings-v4 with its vision tower and three adapters of rank 32.
ModelSize full(double bytes_per_value) {
  ModelSize s;
  s.values = 3'430'000'000;
  s.decoder_values = 2'770'000'000;
  s.stored_bytes = static_cast<uint64_t>(static_cast<double>(s.values) * bytes_per_value);
  s.table_values = uint64_t{151'936} * 2048;
  s.adapter_values = 3 * 59'870'000;
  s.hidden_size = 2048;
  s.intermediate_size = 11008;
  return s;
}

constexpr uint64_t kGiB = uint64_t{1} << 30;

}  // namespace

TEST(weights_take_the_fastest_form_that_fits) {
  CHECK(plan_memory(full(34.0 / 32), 80 * kGiB).form == WeightForm::kBoth);
  CHECK(plan_memory(full(34.0 / 32), 11 * kGiB).form == WeightForm::kExpanded);
  CHECK(plan_memory(full(34.0 / 32), 7 * kGiB).form == WeightForm::kStored);
  CHECK(plan_memory(full(0.6), 5 * kGiB).form == WeightForm::kStored);
  CHECK(plan_memory(full(2), 80 * kGiB).form == WeightForm::kExpanded);  // bf16 is stored as it is used
  CHECK(plan_memory(full(4), 80 * kGiB).form == WeightForm::kExpanded);
  CHECK_THROWS(plan_memory(full(2), 6 * kGiB), E4J_OUT_OF_MEMORY, "but 6.00 GiB is free");
  CHECK_THROWS(plan_memory(full(34.0 / 32), kGiB), E4J_OUT_OF_MEMORY, "for its weights and");
  CHECK(plan_memory(full(34.0 / 32), 80 * kGiB, "stored").form == WeightForm::kStored);
  CHECK(plan_memory(full(34.0 / 32), 80 * kGiB, "expanded").form == WeightForm::kExpanded);
  CHECK(plan_memory(full(2), 80 * kGiB, "stored").form == WeightForm::kExpanded);
  CHECK_THROWS(plan_memory(full(34.0 / 32), 7 * kGiB, "both"), E4J_OUT_OF_MEMORY, "but 7.00 GiB is free");
  CHECK_THROWS(plan_memory(full(2), 80 * kGiB, "fp8"), E4J_INVALID_ARGUMENT, "EMBED4J_CUDA_WEIGHTS is \"fp8\"");
  // fp8 is asked for, never chosen, and takes a byte per value of the decoder.
  const MemoryPlan fp8 = plan_memory(full(2), 80 * kGiB, nullptr, true), bf16 = plan_memory(full(2), 80 * kGiB);
  CHECK(fp8.form == WeightForm::kFp8);
  CHECK_EQ(bf16.weight_bytes - fp8.weight_bytes, full(2).decoder_values + 8 * full(2).adapter_values - full(2).adapter_values * 17 / 8);
  CHECK(plan_memory(full(34.0 / 32), 80 * kGiB, "", true).form == WeightForm::kFp8);
  CHECK_THROWS(plan_memory(full(2), 4 * kGiB, nullptr, true), E4J_OUT_OF_MEMORY, "but 4.00 GiB is free");
  CHECK_THROWS(plan_memory(full(34.0 / 32), 80 * kGiB, "stored", true), E4J_INVALID_ARGUMENT, "EMBED4J_CUDA_WEIGHTS is \"stored\"");
  // More memory never gives a slower form.
  for (double bytes : {0.6, 1.0625, 2.0}) {
    int last = 3;
    for (uint64_t free = 4 * kGiB; free <= 24 * kGiB; free += kGiB / 4) {
      int form = 3;
      try {
        form = static_cast<int>(plan_memory(full(bytes), free).form);
      } catch (const Error&) {
      }
      CHECK(form <= last);
      last = form;
    }
    CHECK(last < 3);
  }
}

TEST(the_workspace_grows_with_the_batch_and_its_intermediates_do_not) {
  const ModelSize s = full(2);
  uint64_t last = 0;
  for (int tokens = 1; tokens <= 1 << 20; tokens *= 2) {
    CHECK(workspace_bytes(s, tokens) > last);
    last = workspace_bytes(s, tokens);
  }
  CHECK(workspace_bytes(s, 1 << 20) < 32 * kGiB);
  CHECK(workspace_bytes(s, kPlannedTokens) < kGiB);
}

TEST(the_estimates_hold_adapters_beside_weights_and_inputs) {
  const auto stride = [](int cols, int slot) { return static_cast<uint64_t>(RowLayout::of(cols, slot, 3).stride()); };
  ModelSize with = full(2), without = with;
  without.adapter_values = 0;
  uint64_t bytes = 0;
  for (const auto& [in, out, slot] : {std::tuple(2048, 2048 + 2 * 256, 128), std::tuple(2048, 2048, 64), std::tuple(2048, 2 * 11008, 64),
                                      std::tuple(11008, 2048, 64)}) {
    const auto cols = static_cast<uint64_t>(in);
    bytes += 36 * 2 * static_cast<uint64_t>(out) * (stride(in, slot) - cols);
    for (int i = 0; i < 3; ++i) bytes += 36 * 2 * cols * static_cast<uint64_t>(RowLayout::of(in, slot, 3).beside(i).count);
  }
  const uint64_t planned = plan_memory(with, 80 * kGiB).weight_bytes - plan_memory(without, 80 * kGiB).weight_bytes;
  CHECK(bytes <= planned && planned < 2 * bytes);
  // Inputs of qkv or of gate and up, of down, and of o.
  const uint64_t slots = 2 * kPlannedTokens * (stride(0, 128) + stride(0, 64) + stride(0, 64));
  const uint64_t margin = workspace_bytes(with, kPlannedTokens) - workspace_bytes(without, kPlannedTokens);
  CHECK(slots <= margin && margin < 2 * slots);
}

TEST(an_adapter_and_the_weights_are_columns_side_by_side) {
  for (const int cols : {64, 2048})
    for (const int slot : {64, 192})
      for (int adapters = 1; adapters <= 7; ++adapters) {
        const RowLayout layout = RowLayout::of(cols, slot, adapters);
        std::vector<int> owner(static_cast<size_t>(layout.stride()), -2);  // of every column; -1: W or x
        const auto own = [&](int first, int count, int who) {
          for (int c = first; c < first + count; ++c) {
            CHECK_EQ(owner.at(static_cast<size_t>(layout.left + c)), -2);
            owner.at(static_cast<size_t>(layout.left + c)) = who;
          }
        };
        own(0, cols, -1);
        for (int i = 0; i < adapters; ++i) own(layout.slot_at(i), slot, i);
        CHECK(std::count(owner.begin(), owner.end(), -2) == 0 && layout.left % kPadding == 0 && layout.stride() % kPadding == 0);
        CHECK(layout.multiplied(-1).first == 0 && layout.multiplied(-1).count == cols);
        for (int i = 0; i < adapters; ++i) {
          std::set<int> multiplied, written, wanted{-1, i};
          const auto owners = [&](Columns c, std::set<int>& of) {
            for (int at = c.first; at < c.first + c.count; ++at) of.insert(owner.at(static_cast<size_t>(layout.left + at)));
          };
          owners(layout.multiplied(i), multiplied);
          owners(layout.beside(i), written);
          for (int nearer = i - 2; nearer >= 0; nearer -= 2) wanted.insert(nearer);
          CHECK(multiplied == wanted && layout.multiplied(i).count == cols + slot * (i / 2 + 1));
          wanted.erase(-1);
          CHECK(written == wanted && layout.beside(i).count == slot * (i / 2 + 1));
        }
      }
}

TEST(padding_is_the_next_multiple) {
  CHECK_EQ(padded(3420, kPadding), 3456);
  for (int n = 1; n < 300; ++n)
    for (int m : {8, 64}) CHECK(padded(n, m) >= n && padded(n, m) < n + m && padded(n, m) % m == 0);
}

TEST(segments_are_cut_to_a_chunk) {
  test::Random random(6);
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<AdapterSegment> segments;
    std::vector<int> adapter_of;  // by row
    const int offset = random.below(5) - 4;
    int at = offset;
    for (int i = 0, n = 1 + random.below(6); i < n; ++i) {
      const int length = 1 + random.below(9);
      segments.push_back({at, at + length, random.below(4) - 1});
      adapter_of.insert(adapter_of.end(), static_cast<size_t>(length), segments.back().adapter);
      at += length;
    }
    const int first = random.below(20), rows = 1 + random.below(20);
    std::vector<int> covered(static_cast<size_t>(rows), -2);
    const std::vector<AdapterSegment> parts = clipped(segments, first, rows);
    for (const AdapterSegment& s : parts) {
      CHECK(s.begin >= 0 && s.begin < s.end && s.end <= rows);
      for (int r = s.begin; r < s.end; ++r) covered[static_cast<size_t>(r)] = s.adapter;
    }
    for (int r = 0; r < rows; ++r) {
      const int place = first + r - offset;
      const int want = place >= 0 && place < static_cast<int>(adapter_of.size()) ? adapter_of[static_cast<size_t>(place)] : -2;
      CHECK_EQ(covered[static_cast<size_t>(r)], want);
    }
    int end = 0, last = -2;
    for (const AdapterSegment& run : filled(parts, rows)) {
      CHECK(run.begin == end && run.begin < run.end && run.adapter != last);
      for (int r = run.begin; r < run.end; ++r) CHECK_EQ(run.adapter, std::max(covered.at(static_cast<size_t>(r)), -1));
      end = run.end, last = run.adapter;
    }
    CHECK_EQ(end, rows);
  }
}

TEST(every_rotary_pair_is_visited_once) {
  for (int half : {40, 64})
    for (int heads : {1, 2, 18}) {
      std::set<int> columns;
      for (int pair = 0; pair < heads * half; ++pair) {
        const int first = pair_column(pair, half);
        CHECK(first / (2 * half) == pair / half && first % (2 * half) == pair % half);
        CHECK(columns.insert(first).second && columns.insert(first + half).second);
      }
      CHECK_EQ(columns.size(), static_cast<size_t>(heads * 2 * half));
      CHECK(*columns.begin() == 0 && *columns.rbegin() == heads * 2 * half - 1);
    }
  CHECK_EQ(rotary_index(2, 5, 1 << 20), (int64_t{2} << 20) + 5);
}

TEST(bf16_is_rounded_as_on_the_cpu) {
  test::Random random(7);
  for (int i = 0; i < 200000; ++i) {
    const float f = __builtin_bit_cast(float, static_cast<uint32_t>(random.bits()));
    CHECK_EQ(to_bf16(f), f32_to_bf16(f));
    const uint16_t h = static_cast<uint16_t>(random.bits());
    CHECK_EQ(__builtin_bit_cast(uint32_t, from_bf16(h)), __builtin_bit_cast(uint32_t, bf16_to_f32(h)));
  }
}

TEST(fp8_is_the_nearest_of_its_values) {
  // Every code is its own value's, and the values are those of the format: 2^-9 steps below 2^-6, three bits above, up to 448.
  for (int code = 0; code < 256; ++code) {
    const float v = from_e4m3(static_cast<uint8_t>(code));
    const int exponent = code >> 3 & 15, fraction = code & 7;
    if ((code & 127) == 127) {
      CHECK(std::isnan(v));
      continue;
    }
    const double want = (code < 128 ? 1 : -1) * (exponent == 0 ? std::ldexp(fraction, -9) : std::ldexp(8 + fraction, exponent - 10));
    CHECK_EQ(static_cast<double>(v), want);
    CHECK_EQ(to_e4m3(v), code);
    if (code < 126) {  // between neighbours: the nearer, in the middle the even one
      const float next = from_e4m3(static_cast<uint8_t>(code + 1)), middle = (v + next) / 2;
      CHECK_EQ(to_e4m3(middle), code % 2 == 0 ? code : code + 1);
      CHECK_EQ(to_e4m3(std::nextafter(middle, 0.0f)), code);
      CHECK_EQ(to_e4m3(std::nextafter(middle, 1000.0f)), code + 1);
    }
  }
  for (const float large : {448.0f, 449.0f, 480.0f, 1e30f, INFINITY}) CHECK(to_e4m3(large) == 0x7e && to_e4m3(-large) == 0xfe);
  CHECK((to_e4m3(NAN) & 0x7f) == 0x7f && to_e4m3(-0.0f) == 0x80 && to_e4m3(1e-30f) == 0);
  CHECK(e4m3_scale(0) == 1 && e4m3_scale(448) == 1 && e4m3_scale(1e-38f) == 1);
}

TEST(elements_are_what_they_are_called) {
  test::Random random(8);
  for (int i = 0; i < 10000; ++i) {
    const float x = random.normal() * 4, y = random.normal() * 4, angle = random.normal();
    const double xd = x, yd = y;
    CHECK(std::fabs(silu_times(x, y) - xd / (1 + std::exp(-xd)) * yd) < 1e-5 * (1 + std::fabs(xd * yd)));
    CHECK(std::fabs(gelu(x) - 0.5 * xd * (1 + std::erf(xd / std::sqrt(2.0)))) < 1e-5 * (1 + std::fabs(xd)));
    const Pair p = rotated(x, y, std::cos(angle), std::sin(angle));
    CHECK(std::fabs(std::hypot(p.first, p.second) - std::hypot(x, y)) < 1e-5);
    CHECK(std::fabs(p.first - (xd * std::cos(angle) - yd * std::sin(angle))) < 1e-5 && std::fabs(p.second - (yd * std::cos(angle) + xd * std::sin(angle))) < 1e-5);
  }
  CHECK(silu_times(-200, 3) == 0.0f || std::fabs(silu_times(-200, 3)) < 1e-30f);
  CHECK_EQ(l2_scale(0), 1e12f);
}
