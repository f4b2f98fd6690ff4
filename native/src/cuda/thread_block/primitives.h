// What a kernel says to the hardware: one list of functions, once as PTX and once as an emulation on the CPU, so that the very
// same kernel source runs under nvcc on a GPU and under any C++ compiler in a test. What only sm_90a has is in warpgroup.h.
//
//   block_index(), block_layer()               of the block in its launch, along x and y
//   thread()                                   the thread's number in its block; warp() and lane() follow
//   sync_threads(), sync_warp(), sync_threads_or(v)
//   copy_async_16(to, from, valid)             16 bytes from global to shared memory; zeros where not valid. copy_async_4 alike
//   commit_copies(), wait_copies<N>()          until all but this thread's latest N groups of copies have arrived
//   load_matrix_x4(r, at), .._transposed       ldmatrix: lane l names row l % 8 of matrix l / 8, 8 bf16 values
//   load_shared_16(at), store_shared_4(at, v)  the whole warp at once
//   mma(d, a, b0, b1)                          d[16][8] += a[16][16] b[16][8], bf16 in, float32 out
//   shuffle_xor(v, mask)
//   count_globally(p)                          (*p)++; what came before it in any thread that counted is seen by what comes after
//   load_global(p)                             16 bytes that another block may have stored
//   exp2(x), maximum(x, y), pack_bf16(low, high)
//   opaque(x)                                  x; what depends on it is computed where it stands, not kept in registers around a loop
//
// Shared memory is addressed by byte, from shared_memory() on. Fragments as in PTX ISA, "Matrix Fragments for mma.m16n8k16": of
// d, lane l has rows l / 4 and l / 4 + 8, columns 2 * (l % 4) and the next; of a, the same rows and columns, then columns + 8;
// of b, rows 2 * (l % 4) and the next, then + 8, column l / 4.
#pragma once
#include <cstdint>

#include "cuda/thread_block/host_device.h"

namespace e4j::cuda {

struct alignas(16) Words4 {
  uint32_t w[4];
};
struct alignas(16) Floats4 {
  float v[4];
};
struct alignas(8) Floats2 {
  float v[2];
};

}  // namespace e4j::cuda

#if defined(__CUDACC__)
#include "cuda/thread_block/ptx.h"
#else
#include "cuda/thread_block/emulation.h"
#endif

namespace e4j::cuda {

E4J_DEVICE int lane() { return thread() % kWarpSize; }
E4J_DEVICE int warp() { return thread() / kWarpSize; }

}  // namespace e4j::cuda
