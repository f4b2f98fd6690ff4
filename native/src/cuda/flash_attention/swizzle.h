// Where a 16-byte chunk of a row lies in shared memory, so that the eight rows of a matrix that ldmatrix reads at once lie in
// eight different sixteen-byte groups of banks.
//
// Rows of 256 bytes (head size 128) all begin in bank 0: chunk ^ row % 8 sends eight rows to eight groups. Rows of 160 bytes
// (head size 80) begin 2 groups further each, so rows r and r + 4 meet; exchanging neighbouring chunks in every second four rows
// parts them.
#pragma once
#include <cstdint>

#include "cuda/thread_block/host_device.h"

namespace e4j::cuda {

template <int kHeadDim>
E4J_HOST_DEVICE uint32_t swizzled(int row, int chunk) {
  static_assert(kHeadDim == 128 || kHeadDim == 80);
  const int place = kHeadDim == 128 ? chunk ^ (row & 7) : chunk ^ (row >> 2 & 1);
  return static_cast<uint32_t>((row * (kHeadDim / 8) + place) * 16);
}

// The address of chunk c + n, from that of chunk c of the same row: n even, c 0 or 1. Shared memory begins at a multiple of 256.
template <int kHeadDim>
E4J_HOST_DEVICE uint32_t later_chunk(uint32_t at, int n) {
  const uint32_t bytes = static_cast<uint32_t>(n) * 16;
  return kHeadDim == 128 ? at ^ bytes : at + bytes;
}

}  // namespace e4j::cuda
