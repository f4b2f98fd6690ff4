// The primitives as PTX; see primitives.h. sm_80 and later.
#pragma once
#include <cstdint>

namespace e4j::cuda {

E4J_DEVICE int thread() { return static_cast<int>(threadIdx.x); }
E4J_DEVICE unsigned block_index() { return blockIdx.x; }
E4J_DEVICE unsigned block_layer() { return blockIdx.y; }
E4J_DEVICE uint32_t shared_memory() {
  extern __shared__ __align__(1024) unsigned char bytes[];
  return static_cast<uint32_t>(__cvta_generic_to_shared(bytes));
}
E4J_DEVICE void sync_threads() { __syncthreads(); }
E4J_DEVICE bool sync_threads_or(bool v) { return __syncthreads_or(v) != 0; }
E4J_DEVICE void sync_warp() { __syncwarp(); }

E4J_DEVICE void copy_async_16(uint32_t to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;\n" ::"r"(to), "l"(__cvta_generic_to_global(from)),
               "r"(valid ? 16 : 0)
               : "memory");
}
E4J_DEVICE void copy_async_4(uint32_t to, const void* from, bool valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(to), "l"(__cvta_generic_to_global(from)),
               "r"(valid ? 4 : 0)
               : "memory");
}
E4J_DEVICE void commit_copies() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }
template <int kLatest>
E4J_DEVICE void wait_copies() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kLatest) : "memory");
}

E4J_DEVICE void load_matrix_x4(uint32_t (&r)[4], uint32_t at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(at));
}
E4J_DEVICE void load_matrix_x4_transposed(uint32_t (&r)[4], uint32_t at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(at));
}
E4J_DEVICE Words4 load_shared_16(uint32_t at) {
  Words4 v;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3])
               : "r"(at));
  return v;
}
E4J_DEVICE uint32_t load_shared_4(uint32_t at) {
  uint32_t v;
  asm volatile("ld.shared.u32 %0, [%1];\n" : "=r"(v) : "r"(at));
  return v;
}
E4J_DEVICE void store_shared_4(uint32_t at, uint32_t v) { asm volatile("st.shared.u32 [%0], %1;\n" ::"r"(at), "r"(v) : "memory"); }

E4J_DEVICE void mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
E4J_DEVICE float shuffle_xor(float v, int mask) { return __shfl_xor_sync(0xffffffffu, v, mask); }

E4J_DEVICE uint32_t count_globally(uint32_t* counter) {
  __threadfence();  // with the atomic operation after it: a release
  const uint32_t before = atomicAdd(counter, 1u);
  __threadfence();  // with the one before it: an acquire
  return before;
}
E4J_DEVICE Floats4 load_global(const Floats4* from) {
  const float4 v = __ldcg(reinterpret_cast<const float4*>(from));
  return {{v.x, v.y, v.z, v.w}};
}

template <class T>
E4J_DEVICE T opaque(T x) {
  asm volatile("" : "+r"(x));
  return x;
}
E4J_DEVICE float exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}
E4J_DEVICE float maximum(float x, float y) { return fmaxf(x, y); }
// bf16, to nearest even; `low` in the lower half.
E4J_DEVICE uint32_t pack_bf16(float low, float high) {
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

}  // namespace e4j::cuda
