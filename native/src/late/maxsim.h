// Late interaction (ColBERT): a document's score is, over the query's rows, the sum of each row's largest dot product with
// a row of the document.
//
// Documents are stored as vector_storage.h says. The query comes as float32. Against float32 documents the dots are float32
// sums in ascending order. Against int8 and binary documents the query's rows are rounded to int8 with a scale each, the dots
// are exact integers and every tier gives the same bits. That rounding of the query costs next to nothing beside
// binary documents; rounding it to bits as well costs more than half as much again as the documents' bits do, on synthetic
// vectors (bench/results/*/maxsim.md).
//
// The documents are read once, whatever the number of query rows; a score does not depend on the documents beside it.
#pragma once
#include <cstddef>
#include <cstdint>

#include "cpu/kernels.h"
#include "late/vector_storage.h"

namespace e4j {

inline constexpr int kMaxQueryRows = 1 << 20;

struct MaxSimShape {
  VectorStorage storage;
  int dim;                // 1 .. kMaxVectorDim
  int query_rows;         // 1 .. kMaxQueryRows
  int64_t first_document;
  int64_t num_documents;
};

// query [query_rows][dim]; documents: stored rows; cu_rows [first_document + num_documents + 1], strictly increasing from
// first_document on; scores [num_documents]. Fails with E4J_INVALID_ARGUMENT naming the query row that is not finite, the
// document whose values give no finite score or the stored row whose scale is none.
void maxsim(const cpu::Kernels& kernels, const MaxSimShape& shape, const float* query, const std::byte* documents,
            const int64_t* cu_rows, float* scores);

}  // namespace e4j
