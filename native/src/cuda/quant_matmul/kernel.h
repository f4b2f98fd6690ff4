// y = x W^T by thread blocks, from weights as they are stored. Each stage of a ring in shared memory has 64 values of K of the
// block's rows of x, and of the weights, for every warp that K is divided among. A warp dequantises 32 rows of weights by 32
// values of K into registers at a time, in the very layout of mma's second operand, and multiplies all rows of x with them.
#pragma once
#include "cuda/quant_matmul/operand.h"
#include "cuda/quant_matmul/traits.h"

namespace e4j::cuda {

struct MatmulArguments : Matmul {
  int blocks_m;  // block index = n block * blocks_m + m block: blocks that share weights run side by side
  int splits;
  int units;     // of a split
  int all_units;
};
inline MatmulArguments matmul_arguments(const Matmul& call, const MatmulPlan& plan) {
  return {call, plan.blocks_m, plan.splits, plan.units, (call.k + kUnitK - 1) / kUnitK};
}

// Where a 16-byte chunk of a row of x lies among [rows][8]: two rows and four chunks, which eight lanes read at once, lie in all
// 32 banks.
E4J_HOST_DEVICE uint32_t x_place(int row, int chunk) { return static_cast<uint32_t>(row * 8 + (chunk ^ (row & 1) << 2)) * 16; }

template <class T>
class MatmulLoop {
 public:
  E4J_DEVICE explicit MatmulLoop(const MatmulArguments& call)
      : call_(call),
        first_m_(static_cast<int>(block_index()) % call.blocks_m * T::kBlockM),
        first_n_(static_cast<int>(block_index()) / call.blocks_m * T::kBlockN),
        first_unit_(static_cast<int>(block_layer()) * call.units),
        base_(shared_memory()) {
    const int left = call.all_units - first_unit_;
    end_unit_ = first_unit_ + (left < call.units ? left : call.units);
  }

  E4J_DEVICE void run() {
    float sums[T::kTilesM][4][4] = {};
    const int steps = (end_unit_ - first_unit_ + T::kWarpsK - 1) / T::kWarpsK;
    E4J_UNROLL
    for (int step = 0; step < T::kStages - 1; ++step) {
      if (step < steps) copy_stage(step, step);
      commit_copies();
    }
    int stage = 0;
    E4J_NO_UNROLL
    for (int step = 0; step < steps; ++step) {
      wait_copies<T::kStages - 2>();
      sync_threads();  // this stage is there, and everybody is done with the one before
      if (step + T::kStages - 1 < steps) copy_stage(step + T::kStages - 1, stage == 0 ? T::kStages - 1 : stage - 1);
      commit_copies();
      if (first_unit_ + step * T::kWarpsK + warp_k() < end_unit_) multiply_unit(stage, sums);
      stage = stage + 1 == T::kStages ? 0 : stage + 1;
    }
    finish(sums);
  }

 private:
  using Format = typename T::Format;
  static constexpr bool kRows = Format::kType == DType::BF16;

  E4J_DEVICE static int warp_n() { return warp() % T::kWarpsN; }
  E4J_DEVICE static int warp_k() { return warp() / T::kWarpsN; }
  E4J_DEVICE uint32_t stage_at(int stage) const { return base_ + static_cast<uint32_t>(stage) * T::kStageBytes; }
  E4J_DEVICE uint32_t unit_at(int stage) const {
    return stage_at(stage) + T::kUnitsAt + static_cast<uint32_t>(warp()) * T::kWarpUnitBytes;
  }

  E4J_DEVICE void copy_stage(int step, int stage) {
    const int unit = first_unit_ + step * T::kWarpsK;
    copy_x(unit, stage);
    if (unit + warp_k() < end_unit_) {
      if constexpr (kRows) copy_rows(unit + warp_k(), unit_at(stage));
      else copy_packed(unit + warp_k(), unit_at(stage));
    }
  }
  E4J_DEVICE void copy_x(int unit, int stage) {
    const int first = opaque(thread());
    E4J_UNROLL
    for (int i = 0; i < T::kWarpsK * T::kBlockM * 8 / T::kThreads; ++i) {
      const int index = first + i * T::kThreads, chunk = index % 8, row = index / 8 % T::kBlockM, part = index / (8 * T::kBlockM);
      const int m = first_m_ + row, k = (unit + part) * kUnitK + chunk * 8;
      const bool valid = m < call_.m && k < call_.k;
      copy_async_16(stage_at(stage) + static_cast<uint32_t>(part) * T::kRowsBytes + x_place(row, chunk), call_.x + (valid ? m * call_.x_stride + k : 0), valid);
    }
  }
  E4J_DEVICE void copy_rows(int unit, uint32_t to) {
    const auto* w = static_cast<const uint16_t*>(call_.w);
    E4J_UNROLL
    for (int slot = 0; slot < T::Format::kSlots; ++slot) {
      const int n = first_n_ + warp_n() * kUnitRows + slot / 2 * 8 + lane() / 4, k = unit * kUnitK + slot % 2 * 32 + lane() % 4 * 8;
      const bool valid = n < call_.n && k < call_.k;
      copy_async_16(to + static_cast<uint32_t>(slot) * 512 + lane_bytes(16), w + (valid ? n * call_.w_stride + k : 0), valid);
    }
  }
  E4J_DEVICE void copy_packed(int unit, uint32_t to) {
    const int row = first_n_ / kUnitRows + warp_n();
    const bool valid = row * kUnitRows < call_.n;
    const auto* units = static_cast<const std::byte*>(call_.w) + (valid ? row * Format::row_of_units_bytes(call_.k) : 0);
    const std::byte* from = units + Format::unit_at(unit);
    E4J_UNROLL
    for (int slot = 0; slot < Format::kSlots + Format::kHighWords / 4; ++slot)
      copy_async_16(to + static_cast<uint32_t>(slot) * 512 + lane_bytes(16), from + slot * 512 + lane() * 16, valid);
    E4J_UNROLL
    for (int word = 0; word < Format::kHighWords % 4; ++word)
      copy_async_4(to + Format::kHighAt + static_cast<uint32_t>(word) * 128 + lane_bytes(4), from + Format::kHighAt + word * 128 + lane() * 4, valid);
    copy_async_4(to + Format::kScalesAt + lane_bytes(4), from + Format::kScalesAt + lane() * 4, valid);
    if constexpr (Format::kSuperScale)
      copy_async_4(to + Format::kUnitBytes + lane_bytes(4), units + Format::super_scale_at(unit) + lane() * 4, valid);
  }

  // sums += x w of this warp's 64 values of K
  E4J_DEVICE void multiply_unit(int stage, float (&sums)[T::kTilesM][4][4]) {
    const uint32_t x_at = stage_at(stage) + static_cast<uint32_t>(warp_k()) * T::kRowsBytes;
    const LaneUnit<Format> unit(unit_at(stage));
    E4J_UNROLL
    for (int h = 0; h < 2; ++h) {
      uint32_t w[4][4];
      E4J_UNROLL
      for (int j = 0; j < 4; ++j) unit.operands(j, h, w[j]);
      const uint32_t row_at = x_at + x_place(lane() / 4, 4 * h + lane() % 4);
      E4J_UNROLL
      for (int m = 0; m < T::kTilesM; ++m) {
        const Words4 upper = load_shared_16(row_at + static_cast<uint32_t>(m) * 2048), lower = load_shared_16(row_at + static_cast<uint32_t>(m) * 2048 + 1024);
        E4J_UNROLL
        for (int step = 0; step < 2; ++step) {
          const uint32_t a[4] = {upper.w[2 * step], lower.w[2 * step], upper.w[2 * step + 1], lower.w[2 * step + 1]};
          E4J_UNROLL
          for (int j = 0; j < 4; ++j) mma(sums[m][j], a, w[j][2 * step], w[j][2 * step + 1]);
        }
      }
    }
  }

  E4J_DEVICE void finish(const float (&sums)[T::kTilesM][4][4]) {
    if constexpr (T::kWarpsK == 1) {
      E4J_UNROLL
      for (int m = 0; m < T::kTilesM; ++m) {
        E4J_UNROLL
        for (int j = 0; j < 4; ++j) part_or_result(m * 4 + j, {{sums[m][j][0], sums[m][j][1], sums[m][j][2], sums[m][j][3]}});
      }
    } else {
      wait_copies<0>();
      sync_threads();  // the ring is nobody's any more: it takes the warps' sums
      E4J_UNROLL
      for (int m = 0; m < T::kTilesM; ++m) {
        E4J_UNROLL
        for (int j = 0; j < 4; ++j) {
          E4J_UNROLL
          for (int i = 0; i < 4; ++i) store_shared_4(sum_at(warp(), m * 4 + j, i), __builtin_bit_cast(uint32_t, sums[m][j][i]));
        }
      }
      sync_threads();
      each_own_fragment([this](int fragment) {
        Floats4 sum;
        E4J_UNROLL
        for (int i = 0; i < 4; ++i) {
          sum.v[i] = 0;
          E4J_UNROLL
          for (int part = 0; part < T::kWarpsK; ++part)
            sum.v[i] += __builtin_bit_cast(float, load_shared_4(sum_at(part * T::kWarpsN + warp_n(), fragment, i)));
        }
        part_or_result(fragment, sum);
      });
    }
    if (call_.splits > 1) add_splits();
  }
  E4J_DEVICE uint32_t sum_at(int of_warp, int fragment, int i) const {
    return base_ + static_cast<uint32_t>(((of_warp * T::kFragments + fragment) * 4 + i) * kWarpSize + lane()) * 4;
  }
  // The fragments of the results of this warp's columns that it is to finish.
  template <class Body>
  E4J_DEVICE void each_own_fragment(Body&& body) {
    E4J_NO_UNROLL
    for (int i = 0; i < T::kFragments / T::kWarpsK; ++i) body(i * T::kWarpsK + warp_k());
  }

  E4J_DEVICE void part_or_result(int fragment, Floats4 sum) {
    if (call_.splits == 1) store(fragment, sum);
    else *partial(static_cast<int>(block_layer()), fragment) = sum;
  }
  // [splits][blocks][warps that finish][fragments][lanes]
  E4J_DEVICE Floats4* partial(int split, int fragment) const {
    const int blocks = call_.blocks_m * ((call_.n + T::kBlockN - 1) / T::kBlockN);
    const int64_t at = ((static_cast<int64_t>(split) * blocks + block_index()) * T::kWarpsN + warp_n()) * T::kFragments + fragment;
    return reinterpret_cast<Floats4*>(static_cast<std::byte*>(call_.workspace) + kPartialsAt) + at * kWarpSize + lane();
  }
  // The block that is last to finish its part of K adds the parts up, in their order, so that the sum does not depend on which
  // block that is. Why it sees them all (PTX ISA, memory consistency model): a block's stores of its part come before the first
  // barrier, that before thread 0's count, which releases at the device's scope what came before it. The counts of one counter
  // are a chain of read-modify-writes, so the last one acquires what every earlier one released; the second barrier passes that on
  // to the block's other threads, whose loads bypass L1 (load_global). Nobody else counts until the stream's next kernel, which
  // comes after the reset.
  E4J_DEVICE void add_splits() {
    sync_threads();
    uint32_t* counter = static_cast<uint32_t*>(call_.workspace) + block_index();
    if (!sync_threads_or(thread() == 0 && count_globally(counter) == static_cast<uint32_t>(call_.splits - 1))) return;
    each_own_fragment([this](int fragment) {
      Floats4 sum{};
      for (int split = 0; split < call_.splits; ++split) {
        const Floats4 part = load_global(partial(split, fragment));
        E4J_UNROLL
        for (int i = 0; i < 4; ++i) sum.v[i] += part.v[i];
      }
      store(fragment, sum);
    });
    if (thread() == 0) *counter = 0;
  }

  E4J_DEVICE void store(int fragment, Floats4 sum) {
    const int col = first_n_ + warp_n() * kUnitRows + fragment % 4 * 8 + lane() % 4 * 2;
    if (col >= call_.n) return;
    const Floats2 bias = call_.bias == nullptr ? Floats2{} : *reinterpret_cast<const Floats2*>(call_.bias + col);
    E4J_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int row = first_m_ + fragment / 4 * 16 + half * 8 + lane() / 4;
      if (row >= call_.m) continue;
      const int64_t at = row * call_.y_stride + col;
      Floats2 y{{sum.v[2 * half] + bias.v[0], sum.v[2 * half + 1] + bias.v[1]}};
      if (call_.y_bf16 != nullptr) {
        auto* pair = reinterpret_cast<uint32_t*>(call_.y_bf16 + at);
        if (call_.accumulate) y = {{low_bf16(*pair) + y.v[0], high_bf16(*pair) + y.v[1]}};
        *pair = pack_bf16(y.v[0], y.v[1]);
        continue;
      }
      auto* to = reinterpret_cast<Floats2*>(call_.y_f32 + at);
      if (call_.accumulate) y = {{to->v[0] + y.v[0], to->v[1] + y.v[1]}};
      *to = y;
    }
  }

  const MatmulArguments& call_;
  const int first_m_, first_n_, first_unit_;
  const uint32_t base_;
  int end_unit_;
};

}  // namespace e4j::cuda
