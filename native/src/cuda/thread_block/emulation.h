// The primitives on the CPU, in an emulated thread block; see primitives.h and block.h.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "cuda/thread_block/block.h"
#include "tensor/convert.h"

namespace e4j::cuda {

inline int thread() { return Block::current().thread(); }
inline unsigned block_index() { return Block::current().index(); }
inline uint32_t shared_memory() { return 0; }
inline unsigned block_layer() { return Block::current().layer(); }
inline bool sync_threads_or(bool v) { return Block::current().sync_threads(v); }
inline void sync_threads() { Block::current().sync_threads(); }
inline void sync_warp() { Block::current().sync_warp(); }

inline void copy_async_16(uint32_t to, const void* from, bool valid) { Block::current().copy_async(to, from, valid, 4); }
inline void copy_async_4(uint32_t to, const void* from, bool valid) { Block::current().copy_async(to, from, valid, 1); }
inline void commit_copies() { Block::current().commit_copies(); }
template <int kLatest>
void wait_copies() {
  Block::current().wait_copies(kLatest);
}

inline void load_matrix_x4(uint32_t (&r)[4], uint32_t at) {
  Block::Access access{at, {}};
  Block::current().together(Block::Together::kLoadMatrix, access, [](auto&& of) { Block::current().load_matrices(of, false); });
  std::memcpy(r, access.words, sizeof r);
}
inline void load_matrix_x4_transposed(uint32_t (&r)[4], uint32_t at) {
  Block::Access access{at, {}};
  Block::current().together(Block::Together::kLoadMatrixTransposed, access, [](auto&& of) { Block::current().load_matrices(of, true); });
  std::memcpy(r, access.words, sizeof r);
}
inline Words4 load_shared_16(uint32_t at) {
  Block::Access access{at, {}};
  Block::current().together(Block::Together::kLoad16, access, [](auto&& of) { Block::current().read_together(of, 4); });
  Words4 v;
  std::memcpy(v.w, access.words, sizeof v.w);
  return v;
}
inline uint32_t load_shared_4(uint32_t at) {
  Block::Access access{at, {}};
  Block::current().together(Block::Together::kLoad4, access, [](auto&& of) { Block::current().read_together(of, 1); });
  return access.words[0];
}
inline void store_shared_4(uint32_t at, uint32_t v) {
  Block::Access access{at, {v}};
  Block::current().together(Block::Together::kStore4, access, [](auto&& of) { Block::current().write_together(of, 1); });
}

inline void mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  Block::Mma operands{d, a, {b0, b1}};
  Block::current().together(Block::Together::kMma, operands, [](auto&& of) { Block::current().multiply(of); });
}
inline float shuffle_xor(float v, int mask) {
  struct Value {
    float in, out;
    int mask;
  } value{v, 0, mask};
  Block::current().together(Block::Together::kShuffle, value, [](auto&& of) {
    for (int lane = 0; lane < kWarpSize; ++lane) of(lane).out = of(lane ^ of(lane).mask).in;
  });
  return value.out;
}

// Blocks run one after the other here.
inline uint32_t count_globally(uint32_t* counter) { return (*counter)++; }
inline Floats4 load_global(const Floats4* from) { return *from; }

template <class T>
T opaque(T x) {
  return x;
}
inline float exp2(float x) { return std::exp2(x); }
inline float maximum(float x, float y) { return std::fmax(x, y); }
inline uint32_t pack_bf16(float low, float high) {
  return static_cast<uint32_t>(f32_to_bf16(low)) | static_cast<uint32_t>(f32_to_bf16(high)) << 16;
}

}  // namespace e4j::cuda
