// float32 rows <-> stored types, as ggml's reference routines compute them (quantize_row_*_ref, dequantize_row_*).
#pragma once
#include "tensor/dtype.h"

namespace e4j {

// src [rows][cols] -> dst [rows][row_bytes(type, cols)]. Non-finite values fail with E4J_INVALID_ARGUMENT.
void quantize_rows(DType type, const float* src, int64_t rows, int64_t cols, void* dst);
// src [rows][row_bytes(type, cols)] -> dst [rows][cols]; total for any bytes (NaN scales give NaN).
void dequantize_rows(DType type, const void* src, int64_t rows, int64_t cols, float* dst);

}  // namespace e4j
