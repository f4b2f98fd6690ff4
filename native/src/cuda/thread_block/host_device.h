// Code that nvcc compiles for the GPU and any C++ compiler for the CPU.
#pragma once

#if defined(__CUDACC__)
#define E4J_DEVICE __device__ __forceinline__
#define E4J_HOST_DEVICE __host__ __device__ __forceinline__
#define E4J_UNROLL _Pragma("unroll")
#define E4J_NO_UNROLL _Pragma("unroll 1")
#else
#define E4J_DEVICE inline
#define E4J_HOST_DEVICE inline
#define E4J_UNROLL
#define E4J_NO_UNROLL
#endif

namespace e4j::cuda {

inline constexpr int kWarpSize = 32;

}  // namespace e4j::cuda
