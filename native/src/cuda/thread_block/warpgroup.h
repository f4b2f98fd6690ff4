// The primitives that processors of compute capability 9.0 have beyond primitives.h (sm_90a): barriers in shared memory, products
// of 128 threads, and registers that pass from one warpgroup to another. A warpgroup is four warps, the first a multiple of four.
//
//   init_barrier(at, count)         8 bytes of shared memory become an mbarrier whose phases complete by `count` arrivals
//   arrive(at)                      one arrival, which tells those that wait what this thread knows
//   arrive_when_copied(at)          one arrival, when all copies that this thread has started are there; returns at once
//   wait_barrier(at, parity)        until the phase of this parity has completed (of a fresh barrier, that of parity 1 has)
//   sync_named(id, threads), arrive_named(id, threads)
//                                   barrier 1 .. 15 of so many threads; the one waits for all, the other does not
//   fence_async()                   what this thread knows to have been written to shared memory may be read by products
//   begin_products(d), begin_products(d, a)
//                                   orders what was done to registers before with products; before the first one of each group
//   product(d, a, b), product_values(d, a, b)
//                                   d[64][128] (+)= a[64][16] b[16][128], bf16 in, float32 out, by a warpgroup. It goes on by itself.
//                                   b is described as [n][k], product_values's as [k][n], whose a is in registers
//   commit_products(), wait_products<N>(d)
//                                   until all but the latest N groups are done, among them those on d
//   computed_here(x)                x, not negative, is computed before any wait that follows, which would otherwise be moved up
//   shrink_registers<N>(), grow_registers<N>()
//                                   of each thread of the warpgroup, to N: the one gives, the other waits until enough were given
//   uniform(x)                      x, which is the same in all lanes of the warp
//
// Products read shared memory through the async proxy, all else through the generic one: a fence_async() must lie between a write
// and a product that reads it, in any thread on the way (PTX ISA, "Proxy-preserved base causality order"). Once a product is known
// to be done, so are its reads: no fence is needed before overwriting what it read.
//
// Fragments: of d, a warp has rows 16 * (warp % 4) and the next 15, as mma's d: tile n is columns 8n .. 8n + 7. Of a in registers the
// same rows, as mma's a.
#pragma once
#include <cstdint>

#include "cuda/thread_block/primitives.h"

namespace e4j::cuda {

inline constexpr int kWarpgroupSize = 128;

// How a product finds an operand in shared memory (PTX ISA, "Matrix descriptor"), in rows of 128 bytes whose 16-byte chunks lie at
// chunk ^ row % 8, the first row at a multiple of 1024.
//   [n][k]: a row is 64 k of one n; `stride` bytes on are the next 8 n. k + 16 is `at` + 32 bytes, within the row.
//   [k][n]: a row is 64 n of one k; `stride` bytes on are the next 8 k, `leading` bytes on the next 64 n.
E4J_HOST_DEVICE uint64_t matrix_descriptor(uint32_t at, uint32_t stride, uint32_t leading = 16) {
  constexpr uint64_t kSwizzle128 = 1;
  return (at & 0x3ffffu) >> 4 | static_cast<uint64_t>(leading >> 4) << 16 | static_cast<uint64_t>(stride >> 4) << 32 | kSwizzle128 << 62;
}
E4J_HOST_DEVICE uint64_t descriptor_later(uint64_t descriptor, uint32_t bytes) { return descriptor + (bytes >> 4); }

}  // namespace e4j::cuda

#if defined(__CUDACC__)
#include "cuda/thread_block/warpgroup_ptx.h"
#else
#include "cuda/thread_block/warpgroup_emulation.h"
#endif
