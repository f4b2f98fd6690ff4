#include "late/maxsim.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/buffer.h"
#include "base/status.h"

namespace e4j {
namespace {

using cpu::kMaxPanels;

// Document rows that stay in the first-level cache while all query rows pass over them.
constexpr int kBlockRows = 48;
constexpr int kBlockCols = kMaxPanels * kPanelRows;

constexpr size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

// The query as panels of 16 rows, the layout of the matrix kernels' weights; rows beyond query_rows are zero.
struct Query {
  int rows, dim;
  size_t cols;                 // rows, rounded up to whole panels
  size_t panel_bytes;
  Buffer panels;               // float32: [panel][dim][16] float. Otherwise [panel][k / 4][16][4] int8
  std::vector<float> scale;    // [cols]; 1 for float32
  std::vector<int32_t> offset; // [cols]: -128 * sum of the row's int8

  Query(const MaxSimShape& shape, const float* x) : rows(shape.query_rows), dim(shape.dim) {
    cols = round_up(static_cast<size_t>(rows), kPanelRows);
    scale.assign(cols, 1.0f);
    for (int r = 0; r < rows; ++r)
      for (int k = 0; k < dim; ++k)
        if (!std::isfinite(x[static_cast<size_t>(r) * static_cast<size_t>(dim) + static_cast<size_t>(k)]))
          fail(E4J_INVALID_ARGUMENT, "query row %d, value %d is not finite", r, k);
    shape.storage == VectorStorage::Float32 ? pack_float(x) : pack_int8(x);
  }

 private:
  void pack_float(const float* x) {
    panel_bytes = static_cast<size_t>(dim) * kPanelRows * sizeof(float);
    panels = Buffer(cols / kPanelRows * panel_bytes);
    for (int r = 0; r < rows; ++r, x += dim) {
      float* panel = panels.as<float>() + static_cast<size_t>(r / kPanelRows) * panel_bytes / sizeof(float);
      for (int k = 0; k < dim; ++k) panel[k * kPanelRows + r % kPanelRows] = x[k];
    }
  }

  void pack_int8(const float* x) {
    panel_bytes = round_up(static_cast<size_t>(dim), 4) * kPanelRows;
    panels = Buffer(cols / kPanelRows * panel_bytes);
    offset.assign(cols, 0);
    std::vector<int8_t> q(static_cast<size_t>(dim));
    for (int r = 0; r < rows; ++r, x += dim) {
      scale[static_cast<size_t>(r)] = encode_int8(x, dim, q.data());
      int8_t* panel = panels.as<int8_t>() + static_cast<size_t>(r / kPanelRows) * panel_bytes;
      for (int k = 0; k < dim; ++k) {
        panel[(k / 4 * kPanelRows + r % kPanelRows) * 4 + k % 4] = q[static_cast<size_t>(k)];
        offset[static_cast<size_t>(r)] -= 128 * q[static_cast<size_t>(k)];
      }
    }
  }
};

// Everything one call needs besides the query.
class Scorer {
 public:
  Scorer(const cpu::Kernels& kernels, const MaxSimShape& shape, const float* query)
      : kernels_(kernels),
        storage_(shape.storage),
        row_bytes_(vector_row_bytes(shape.storage, shape.dim)),
        query_(shape, query),
        byte_stride_(round_up(static_cast<size_t>(shape.dim), 64)),
        dots_(kBlockRows * kBlockCols),
        best_(query_.cols),
        poison_(query_.cols) {
    if (storage_ != VectorStorage::Float32) bytes_.assign(kBlockRows * byte_stride_, 0);
    std::fill_n(row_scale_, kBlockRows, 1.0f / std::sqrt(static_cast<float>(shape.dim)));  // of binary rows
  }

  // rows: of this document; the first is number first_row of all. Not finite when the document's values give no finite dots.
  float score(const std::byte* document, int64_t rows, int64_t first_row) {
    std::fill(best_.begin(), best_.end(), -std::numeric_limits<float>::infinity());
    std::fill(poison_.begin(), poison_.end(), 0.0f);
    for (int64_t row = 0; row < rows; row += kBlockRows) {
      const int m = static_cast<int>(std::min<int64_t>(kBlockRows, rows - row));
      const std::byte* block = document + static_cast<size_t>(row) * row_bytes_;
      widen(block, m, first_row + row);
      for (size_t col = 0; col < query_.cols; col += kBlockCols) {
        const int panels = static_cast<int>(std::min<size_t>(kBlockCols, query_.cols - col)) / kPanelRows;
        const std::byte* w = query_.panels.data() + col / kPanelRows * query_.panel_bytes;
        storage_ == VectorStorage::Float32 ? float_dots(block, m, panels, w) : byte_dots(m, panels, w, col);
        kernels_.max_rows(dots_.data(), m, panels * kPanelRows, kBlockCols, &best_[col], &poison_[col]);
      }
    }
    double sum = 0;
    for (size_t r = 0; r < static_cast<size_t>(query_.rows); ++r)
      sum += static_cast<double>(best_[r]) * query_.scale[r] + poison_[r];
    return static_cast<float>(sum);
  }

 private:
  // int8 and binary rows -> bytes_: value + 128; the values beyond dim meet zeros of the query.
  void widen(const std::byte* block, int m, int64_t first_row) {
    const size_t dim = static_cast<size_t>(query_.dim);  // a store of bytes might change a member
    for (int r = 0; r < m && storage_ != VectorStorage::Float32; ++r, block += row_bytes_) {
      uint8_t* out = &bytes_[static_cast<size_t>(r) * byte_stride_];
      if (storage_ == VectorStorage::Binary) {
        kernels_.expand_bits(reinterpret_cast<const uint8_t*>(block), static_cast<int>(row_bytes_), out);
      } else {
        row_scale_[r] = checked_scale(block, first_row + r);
        const std::byte* q = block + kInt8ScaleBytes;
        for (size_t k = 0; k < dim; ++k) out[k] = static_cast<uint8_t>(q[k] ^ std::byte{0x80});
      }
    }
  }

  void float_dots(const std::byte* block, int m, int panels, const std::byte* w) noexcept {
    cpu::GemmTile t{};
    t.m = m;
    t.k = query_.dim;
    t.panels = panels;
    t.a = block;
    t.a_stride = static_cast<size_t>(query_.dim);
    t.w = w;
    t.w_panel_stride = query_.panel_bytes / sizeof(float);
    t.c = dots_.data();
    t.c_stride = kBlockCols;
    kernels_.gemm_f32(t);
  }

  void byte_dots(int m, int panels, const std::byte* w, size_t col) noexcept {
    cpu::DotTile t{};
    t.m = m;
    t.k = static_cast<int>(round_up(static_cast<size_t>(query_.dim), 4));
    t.panels = panels;
    t.a = bytes_.data();
    t.a_stride = byte_stride_;
    t.a_scale = row_scale_;
    t.w = reinterpret_cast<const int8_t*>(w);
    t.w_panel_stride = query_.panel_bytes;
    t.offset = &query_.offset[col];
    t.c = dots_.data();
    t.c_stride = kBlockCols;
    kernels_.dot_i8(t);
  }

  const cpu::Kernels& kernels_;
  const VectorStorage storage_;
  const size_t row_bytes_;
  const Query query_;
  const size_t byte_stride_;
  std::vector<uint8_t> bytes_;     // [kBlockRows][byte_stride_]
  float row_scale_[kBlockRows];
  std::vector<float> dots_;        // [kBlockRows][kBlockCols]
  std::vector<float> best_;        // [query cols]: largest dot so far, without the query row's scale
  std::vector<float> poison_;      // [query cols]: NaN once a dot was not finite
};

}  // namespace

void maxsim(const cpu::Kernels& kernels, const MaxSimShape& shape, const float* query, const std::byte* documents,
            const int64_t* cu_rows, float* scores) {
  const size_t row_bytes = vector_row_bytes(shape.storage, shape.dim);
  Scorer scorer(kernels, shape, query);
  for (int64_t d = shape.first_document; d < shape.first_document + shape.num_documents; ++d) {
    float& score = scores[d - shape.first_document];
    score = scorer.score(documents + static_cast<size_t>(cu_rows[d]) * row_bytes, cu_rows[d + 1] - cu_rows[d], cu_rows[d]);
    if (!std::isfinite(score))
      fail(E4J_INVALID_ARGUMENT, "document %lld (rows %lld .. %lld): its dot products with the query are not finite",
           static_cast<long long>(d), static_cast<long long>(cu_rows[d]), static_cast<long long>(cu_rows[d + 1] - 1));
  }
}

}  // namespace e4j
