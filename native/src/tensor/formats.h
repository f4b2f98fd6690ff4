// Row routines, one pair per stored type; quantize.cpp picks among them. cols is a multiple of the type's block and
// stored bytes need no alignment. A quantise routine expects finite values below 2^28 (blocks) and returns false when
// something it must store does not fit: a value in f16 or bf16, a scale in f16.
#pragma once
#include <cstdint>

namespace e4j {

bool quantize_f16(const float* src, int64_t cols, void* dst) noexcept;
void dequantize_f16(const void* src, int64_t cols, float* dst) noexcept;

bool quantize_bf16(const float* src, int64_t cols, void* dst) noexcept;
void dequantize_bf16(const void* src, int64_t cols, float* dst) noexcept;

bool quantize_q8_0(const float* src, int64_t cols, void* dst) noexcept;
void dequantize_q8_0(const void* src, int64_t cols, float* dst) noexcept;

bool quantize_q4_k(const float* src, int64_t cols, void* dst) noexcept;
void dequantize_q4_k(const void* src, int64_t cols, float* dst) noexcept;

bool quantize_q5_k(const float* src, int64_t cols, void* dst) noexcept;
void dequantize_q5_k(const void* src, int64_t cols, float* dst) noexcept;

bool quantize_q6_k(const float* src, int64_t cols, void* dst) noexcept;
void dequantize_q6_k(const void* src, int64_t cols, float* dst) noexcept;

}  // namespace e4j
