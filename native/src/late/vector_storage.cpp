#include "late/vector_storage.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/status.h"

namespace e4j {
namespace {

void check_finite(const float* x, int dim, int64_t row) {
  for (int i = 0; i < dim; ++i)
    if (!std::isfinite(x[i]))
      fail(E4J_INVALID_ARGUMENT, "row %lld, value %d is %f, expected a finite one", static_cast<long long>(row), i,
           static_cast<double>(x[i]));
}

void encode_binary(const float* x, int dim, std::byte* bits) noexcept {
  for (int i = 0; i < dim; i += 8) {
    unsigned byte = 0;
    for (int j = 0; j < std::min(8, dim - i); ++j) byte |= (x[i + j] > 0 ? 0x80u : 0u) >> j;
    bits[i / 8] = static_cast<std::byte>(byte);
  }
}

}  // namespace

VectorStorage checked_storage(int32_t storage) {
  if (storage < E4J_VECTORS_FLOAT32 || storage > E4J_VECTORS_BINARY)
    fail(E4J_INVALID_ARGUMENT, "storage is %d, expected 0 (float32), 1 (int8) or 2 (binary)", storage);
  return static_cast<VectorStorage>(storage);
}

int checked_dim(int64_t dim) {
  if (dim < 1 || dim > kMaxVectorDim)
    fail(E4J_INVALID_ARGUMENT, "dim is %lld, expected 1 .. %d", static_cast<long long>(dim), kMaxVectorDim);
  return static_cast<int>(dim);
}

size_t vector_row_bytes(VectorStorage storage, int dim) noexcept {
  const size_t values = static_cast<size_t>(dim);
  switch (storage) {
    case VectorStorage::Int8: return kInt8ScaleBytes + values;
    case VectorStorage::Binary: return (values + 7) / 8;
    default: return sizeof(float) * values;
  }
}

float encode_int8(const float* x, int dim, int8_t* q) noexcept {
  float amax = 0;
  for (int i = 0; i < dim; ++i) amax = std::max(amax, std::fabs(x[i]));
  float scale = amax / 127.0f;
  if (!std::isfinite(scale * 127.0f)) scale = std::nextafter(scale, 0.0f);  // amax is the largest float: 127 must not overflow
  // A row so small that its scale underflows is a row of zeros.
  const double inverse = scale > 0 ? 1.0 / static_cast<double>(scale) : 0.0;
  for (int i = 0; i < dim; ++i) q[i] = static_cast<int8_t>(std::clamp(std::nearbyint(x[i] * inverse), -127.0, 127.0));
  return scale;
}

void encode_vectors(VectorStorage storage, const float* src, int64_t rows, int dim, void* dst) {
  const size_t row_bytes = vector_row_bytes(storage, dim);
  std::byte* out = static_cast<std::byte*>(dst);
  for (int64_t row = 0; row < rows; ++row, src += dim, out += row_bytes) {
    check_finite(src, dim, row);
    switch (storage) {
      case VectorStorage::Float32: std::memcpy(out, src, row_bytes); break;
      case VectorStorage::Binary: encode_binary(src, dim, out); break;
      case VectorStorage::Int8: {
        const float scale = encode_int8(src, dim, reinterpret_cast<int8_t*>(out + kInt8ScaleBytes));
        std::memcpy(out, &scale, sizeof scale);
        break;
      }
    }
  }
}

float checked_scale(const std::byte* stored, int64_t row) {
  float scale;
  std::memcpy(&scale, stored, sizeof scale);
  if (!(scale >= 0 && std::isfinite(scale)))
    fail(E4J_INVALID_ARGUMENT, "row %lld: its scale is %f, expected a finite one, not negative", static_cast<long long>(row),
         static_cast<double>(scale));
  return scale;
}

void decode_vectors(VectorStorage storage, const void* src, int64_t rows, int dim, float* dst) {
  const size_t row_bytes = vector_row_bytes(storage, dim);
  const std::byte* in = static_cast<const std::byte*>(src);
  const float unit = 1.0f / std::sqrt(static_cast<float>(dim));
  for (int64_t row = 0; row < rows; ++row, in += row_bytes, dst += dim) {
    switch (storage) {
      case VectorStorage::Float32: std::memcpy(dst, in, row_bytes); break;
      case VectorStorage::Binary:
        for (int i = 0; i < dim; ++i) dst[i] = (static_cast<unsigned>(in[i / 8]) << (i % 8) & 0x80u) != 0 ? unit : -unit;
        break;
      case VectorStorage::Int8: {
        const float scale = checked_scale(in, row);
        const int8_t* q = reinterpret_cast<const int8_t*>(in + kInt8ScaleBytes);
        for (int i = 0; i < dim; ++i) dst[i] = scale * static_cast<float>(q[i]);
        break;
      }
    }
  }
}

}  // namespace e4j
