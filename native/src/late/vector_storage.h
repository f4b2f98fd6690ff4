// How the rows of a multi-vector are stored: whole, in 8 bits, or as signs.
//
//   float32  dim float32
//   int8     float32 scale (largest magnitude / 127), dim int8 in -127 .. 127; value = scale * int8
//   binary   dim bits, first value in the highest bit of the first byte, 1 for > 0; value = +-1 / sqrt(dim). The bits beyond
//            dim are 0. The same bytes as numpy.packbits(x > 0, axis=-1).
//
// Rows follow one another without padding, so stored multi-vectors are joined by joining their bytes.
#pragma once
#include <cstddef>
#include <cstdint>

#include "embed4j.h"

namespace e4j {

enum class VectorStorage : int32_t {
  Float32 = E4J_VECTORS_FLOAT32,
  Int8 = E4J_VECTORS_INT8,
  Binary = E4J_VECTORS_BINARY,
};

inline constexpr int kMaxVectorDim = 4096;
inline constexpr size_t kInt8ScaleBytes = sizeof(float);

// The storage of a number from a caller; fails with E4J_INVALID_ARGUMENT.
VectorStorage checked_storage(int32_t storage);
// 1 .. kMaxVectorDim; fails with E4J_INVALID_ARGUMENT.
int checked_dim(int64_t dim);

size_t vector_row_bytes(VectorStorage storage, int dim) noexcept;

// One row -> q[dim], returns the scale. Finite input.
float encode_int8(const float* x, int dim, int8_t* q) noexcept;

// src [rows][dim] -> dst [rows][vector_row_bytes]. Fails with E4J_INVALID_ARGUMENT on a value that is not finite.
void encode_vectors(VectorStorage storage, const float* src, int64_t rows, int dim, void* dst);

// src [rows][vector_row_bytes] -> dst [rows][dim]. Fails with E4J_INVALID_ARGUMENT on a scale that is negative or not finite.
void decode_vectors(VectorStorage storage, const void* src, int64_t rows, int dim, float* dst);

// The scale at the head of an int8 row; `row` is its number for the message.
float checked_scale(const std::byte* stored, int64_t row);

}  // namespace e4j
