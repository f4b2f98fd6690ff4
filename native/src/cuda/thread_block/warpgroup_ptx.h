// The primitives of warpgroup.h as PTX: sm_90a.
#pragma once
#include <cstdint>

namespace e4j::cuda {

E4J_DEVICE void init_barrier(uint32_t at, int count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;\n" ::"r"(at), "r"(count) : "memory"); }
E4J_DEVICE void arrive(uint32_t at) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];\n" ::"r"(at) : "memory"); }
// noinc: the arrival is one of those that the barrier was initialised for.
E4J_DEVICE void arrive_when_copied(uint32_t at) { asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];\n" ::"r"(at) : "memory"); }
E4J_DEVICE void wait_barrier(uint32_t at, uint32_t parity) {
  uint32_t done;
  do {
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n"
        "}\n"
        : "=r"(done)
        : "r"(at), "r"(parity)
        : "memory");
  } while (done == 0);
}
E4J_DEVICE void sync_named(int id, int threads) { asm volatile("bar.sync %0, %1;\n" ::"r"(id), "r"(threads) : "memory"); }
E4J_DEVICE void arrive_named(int id, int threads) { asm volatile("bar.arrive %0, %1;\n" ::"r"(id), "r"(threads) : "memory"); }
E4J_DEVICE void fence_async() { asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory"); }

template <int kRegisters>
E4J_DEVICE void shrink_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;\n" ::"n"(kRegisters));
}
template <int kRegisters>
E4J_DEVICE void grow_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;\n" ::"n"(kRegisters));
}
E4J_DEVICE int uniform(int x) { return __shfl_sync(0xffffffffu, x, 0); }

// The compiler must not move what writes or reads a product's registers to the other side of the instructions below, which do not
// name them.
E4J_DEVICE void pin(float (&d)[16][4]) {
  E4J_UNROLL
  for (int n = 0; n < 16; ++n) {
    E4J_UNROLL
    for (int i = 0; i < 4; ++i) asm volatile("" : "+f"(d[n][i])::"memory");
  }
}
template <int kSteps>
E4J_DEVICE void pin(uint32_t (&a)[kSteps][4]) {
  E4J_UNROLL
  for (int step = 0; step < kSteps; ++step) {
    E4J_UNROLL
    for (int i = 0; i < 4; ++i) asm volatile("" : "+r"(a[step][i])::"memory");
  }
}
// ptxas moves waits up over arithmetic, but not over a store, were it one that never happens.
E4J_DEVICE void computed_here(float x) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.lt.f32 p, %0, 0f00000000;\n"
      "@p st.shared.f32 [%1], %0;\n"
      "}\n" ::"f"(x), "r"(shared_memory())
      : "memory");
}
E4J_DEVICE void begin_products(float (&d)[16][4]) {
  pin(d);
  asm volatile("wgmma.fence.sync.aligned;\n" ::: "memory");
}
template <int kSteps>
E4J_DEVICE void begin_products(float (&d)[16][4], uint32_t (&a)[kSteps][4]) {
  pin(a);
  begin_products(d);
}
E4J_DEVICE void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;\n" ::: "memory"); }
template <int kLatest>
E4J_DEVICE void wait_products(float (&d)[16][4]) {
  asm volatile("wgmma.wait_group.sync.aligned %0;\n" ::"n"(kLatest) : "memory");
  pin(d);
}

#define E4J_TILE(d, n) "+f"(d[n][0]), "+f"(d[n][1]), "+f"(d[n][2]), "+f"(d[n][3])
#define E4J_TILES(d)                                                                                                      \
  E4J_TILE(d, 0), E4J_TILE(d, 1), E4J_TILE(d, 2), E4J_TILE(d, 3), E4J_TILE(d, 4), E4J_TILE(d, 5), E4J_TILE(d, 6),         \
      E4J_TILE(d, 7), E4J_TILE(d, 8), E4J_TILE(d, 9), E4J_TILE(d, 10), E4J_TILE(d, 11), E4J_TILE(d, 12), E4J_TILE(d, 13), \
      E4J_TILE(d, 14), E4J_TILE(d, 15)
#define E4J_ACCUMULATORS                                                                                       \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, " \
  "%23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, "  \
  "%44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}"

// Not kAccumulate: what d holds does not matter.
template <bool kAccumulate>
E4J_DEVICE void product(float (&d)[16][4], uint64_t a, uint64_t b) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 " E4J_ACCUMULATORS ", %64, %65, p, 1, 1, 0, 0;\n"
      "}\n"
      : E4J_TILES(d)
      : "l"(a), "l"(b), "n"(static_cast<int>(kAccumulate)));
}
E4J_DEVICE void product_values(float (&d)[16][4], const uint32_t (&a)[4], uint64_t b) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, 1, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 " E4J_ACCUMULATORS ", {%64, %65, %66, %67}, %68, p, 1, 1, 1;\n"
      "}\n"
      : E4J_TILES(d)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}
#undef E4J_TILE
#undef E4J_TILES
#undef E4J_ACCUMULATORS

}  // namespace e4j::cuda
