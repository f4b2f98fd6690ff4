// More values at a time than 32 registers hold: must not compile (cmake/Cuda.cmake).
__global__ void __launch_bounds__(1024, 2) spill(float* p, int n) {
  float v[64];
#pragma unroll
  for (int i = 0; i < 64; ++i) v[i] = p[i * 1024 + threadIdx.x];
  for (int k = 0; k < n; ++k) {
#pragma unroll
    for (int i = 0; i < 64; ++i) v[i] = v[i] * v[(i * 7 + 1) % 64] + p[k];
  }
#pragma unroll
  for (int i = 0; i < 64; ++i) p[i * 1024 + threadIdx.x] = v[i];
}
