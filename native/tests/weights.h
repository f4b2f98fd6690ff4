// A random weight matrix for tests of matrix products.
#pragma once
#include <cstddef>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/packed_matrix.h"
#include "random.h"
#include "tensor/quantize.h"

namespace e4j::test {

// A weight matrix as stored, as packed, and as the values it stands for.
struct Weights {
  std::vector<std::byte> stored;
  std::vector<float> values;  // [n][k]
  cpu::PackedMatrix packed;

  Weights(DType type, int n, int k, Random& random) {
    ThreadPool pool(2);
    const std::vector<float> source = random.normals(static_cast<size_t>(n * k));
    stored.resize(static_cast<size_t>(n) * row_bytes(type, k));
    values.resize(source.size());
    quantize_rows(type, source.data(), n, k, stored.data());
    dequantize_rows(type, stored.data(), n, k, values.data());
    packed = cpu::pack_matrix(type, n, k, stored.data(), pool);
  }
};

}  // namespace e4j::test
