// Conversions that both sides need, bit for bit the same.
#pragma once
#include <cstdint>

#include "cuda/thread_block/host_device.h"
#include "tensor/convert.h"

#if defined(__CUDACC__)
#include <cuda_fp16.h>
#endif

namespace e4j::cuda {

E4J_HOST_DEVICE float half_to_float(uint32_t bits) {
#if defined(__CUDA_ARCH__)
  return __half2float(__ushort_as_half(static_cast<unsigned short>(bits)));
#else
  return f16_to_f32(static_cast<uint16_t>(bits));
#endif
}

// The halves of a pair of bf16.
E4J_HOST_DEVICE float low_bf16(uint32_t pair) { return __builtin_bit_cast(float, pair << 16); }
E4J_HOST_DEVICE float high_bf16(uint32_t pair) { return __builtin_bit_cast(float, pair & 0xffff0000u); }

// Byte i of a word, as a number: 2^23 + byte is what the byte makes of the bits of 2^23.
E4J_HOST_DEVICE float byte_to_float(uint32_t word, int i) {
#if defined(__CUDA_ARCH__)
  const uint32_t bits = __byte_perm(word, 0x4b000000u, 0x7650u | static_cast<uint32_t>(i));
#else
  const uint32_t bits = 0x4b000000u | (word >> (8 * i) & 0xffu);
#endif
  return __builtin_bit_cast(float, bits) - 8388608.0f;
}

}  // namespace e4j::cuda
