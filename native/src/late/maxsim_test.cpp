// Late interaction on every tier this machine can run, against sums in double over the values the stored rows stand for.
#include "late/maxsim.h"

#include <algorithm>
#include <numeric>

#include "cpu/dispatch.h"
#include "random.h"
#include "test.h"

using namespace e4j;
using e4j::test::Random;

namespace {

constexpr VectorStorage kAll[] = {VectorStorage::Float32, VectorStorage::Int8, VectorStorage::Binary};

struct Case {
  VectorStorage storage;
  int dim, query_rows;
  std::vector<int64_t> cu_rows;
  std::vector<float> query;
  std::vector<std::byte> documents;

  Case(VectorStorage s, int d, int q, const std::vector<int64_t>& sizes, Random& random) : storage(s), dim(d), query_rows(q) {
    cu_rows.push_back(0);
    for (int64_t size : sizes) cu_rows.push_back(cu_rows.back() + size);
    const size_t values = static_cast<size_t>(dim);
    query = random.normals(static_cast<size_t>(q) * values);
    const std::vector<float> rows = random.normals(static_cast<size_t>(cu_rows.back()) * values);
    documents.resize(static_cast<size_t>(cu_rows.back()) * vector_row_bytes(storage, dim));
    encode_vectors(storage, rows.data(), cu_rows.back(), dim, documents.data());
  }

  std::vector<float> scores(const cpu::Kernels& kernels, int64_t first, int64_t count) const {
    std::vector<float> out(static_cast<size_t>(count));
    maxsim(kernels, {storage, dim, query_rows, first, count}, query.data(), documents.data(), cu_rows.data(), out.data());
    return out;
  }
  std::vector<float> scores(const cpu::Kernels& kernels) const { return scores(kernels, 0, static_cast<int64_t>(cu_rows.size()) - 1); }

  // The definition; the query is rounded to int8 where the kernels do so.
  std::vector<double> exact() const {
    const size_t values = static_cast<size_t>(dim);
    std::vector<float> q = query, rows(static_cast<size_t>(cu_rows.back()) * values);
    if (storage != VectorStorage::Float32) {
      std::vector<std::byte> stored(static_cast<size_t>(query_rows) * vector_row_bytes(VectorStorage::Int8, dim));
      encode_vectors(VectorStorage::Int8, query.data(), query_rows, dim, stored.data());
      decode_vectors(VectorStorage::Int8, stored.data(), query_rows, dim, q.data());
    }
    decode_vectors(storage, documents.data(), cu_rows.back(), dim, rows.data());
    std::vector<double> out;
    for (size_t d = 0; d + 1 < cu_rows.size(); ++d) {
      double score = 0;
      for (size_t i = 0; i < static_cast<size_t>(query_rows); ++i) {
        double best = -INFINITY;
        for (auto r = static_cast<size_t>(cu_rows[d]); r < static_cast<size_t>(cu_rows[d + 1]); ++r) {
          double dot = 0;
          for (size_t k = 0; k < values; ++k) dot += static_cast<double>(q[i * values + k]) * rows[r * values + k];
          best = std::max(best, dot);
        }
        score += best;
      }
      out.push_back(score);
    }
    return out;
  }
};

const std::vector<int64_t> kSizes = {1, 2, 5, 6, 7, 47, 48, 49, 100, 3};

}  // namespace

TEST(scores_match_the_definition_on_every_tier) {
  Random random(1);
  struct Extent {
    int dim, query_rows;
  };
  for (VectorStorage storage : kAll)
    for (const Extent e : {Extent{1, 1}, {2, 17}, {3, 5}, {4, 16}, {7, 33}, {8, 1}, {31, 64}, {64, 65}, {65, 15}, {128, 20},
                           {128, 130}, {130, 31}, {1000, 4}, {4096, 3}}) {
      const Case c(storage, e.dim, e.query_rows, e.dim > 500 ? std::vector<int64_t>{1, 50} : kSizes, random);
      const std::vector<double> exact = c.exact();
      std::vector<float> reference;
      for (const auto& tier : cpu::available_tiers()) {
        const std::vector<float> scores = c.scores(cpu::kernels_for(tier));
        if (tier == "scalar") reference = scores;
        for (size_t d = 0; d < scores.size(); ++d)
          if (!(std::fabs(scores[d] - exact[d]) <= 2e-6 * (std::fabs(exact[d]) + e.query_rows * std::sqrt(e.dim))))
            test::failed(__FILE__, __LINE__, tier + " storage " + std::to_string(static_cast<int>(storage)) + " dim " +
                         std::to_string(e.dim) + " query rows " + std::to_string(e.query_rows) + " document " + std::to_string(d) +
                         ": " + std::to_string(scores[d]) + " against " + std::to_string(exact[d]));
        // Integer dots: the same bits on every tier.
        if (storage != VectorStorage::Float32) CHECK(std::memcmp(scores.data(), reference.data(), scores.size() * 4) == 0);
      }
    }
}

TEST(a_score_does_not_depend_on_the_documents_beside_it) {
  Random random(2);
  for (VectorStorage storage : kAll) {
    const Case c(storage, 128, 21, kSizes, random);
    for (const auto& tier : cpu::available_tiers()) {
      const cpu::Kernels kernels = cpu::kernels_for(tier);
      const std::vector<float> together = c.scores(kernels);
      for (size_t d = 0; d < together.size(); ++d) {
        const float alone = c.scores(kernels, static_cast<int64_t>(d), 1)[0];
        CHECK(std::memcmp(&alone, &together[d], 4) == 0);
      }
    }
  }
}

TEST(eight_bit_extremes_do_not_saturate) {
  // Stored bytes may be anything, -128 too; the query's are within -127 .. 127.
  const int dim = 4096;
  for (int stored : {-128, -127, 127})
    for (float sign : {-1.0f, 1.0f})
      for (const auto& tier : cpu::available_tiers()) {
        const std::vector<float> query(dim, sign * 127);
        std::vector<std::byte> row(vector_row_bytes(VectorStorage::Int8, dim), static_cast<std::byte>(stored));
        const float scale = 1;
        std::memcpy(row.data(), &scale, 4);
        const int64_t cu_rows[] = {0, 1};
        float score;
        maxsim(cpu::kernels_for(tier), {VectorStorage::Int8, dim, 1, 0, 1}, query.data(), row.data(), cu_rows, &score);
        CHECK_EQ(score, sign * 127 * static_cast<float>(stored) * dim);
      }
}

TEST(values_that_are_not_finite_are_named) {
  Random random(4);
  for (const auto& tier : cpu::available_tiers()) {
    const cpu::Kernels kernels = cpu::kernels_for(tier);
    for (float bad : {NAN, INFINITY, -INFINITY, 3e38f}) {
      Case c(VectorStorage::Float32, 37, 18, {3, 60, 3}, random);
      // In a row that another one outdoes: the largest dot alone would not show it.
      std::memcpy(c.documents.data() + (30 * 37 + 5) * 4, &bad, 4);
      if (bad > 1e38f && bad < INFINITY) for (float& q : c.query) q *= 1e6f;
      CHECK_THROWS(c.scores(kernels), E4J_INVALID_ARGUMENT, "document 1 (rows 3 .. 62)");
      CHECK_EQ(c.scores(kernels, 2, 1).size(), 1u);
    }
    Case c(VectorStorage::Int8, 16, 2, {3, 3}, random);
    const float bad = NAN;
    std::memcpy(c.documents.data() + 4 * 20, &bad, 4);
    CHECK_THROWS(c.scores(kernels), E4J_INVALID_ARGUMENT, "row 4: its scale is");
    Case q(VectorStorage::Binary, 16, 2, {3}, random);
    q.query[17] = NAN;
    CHECK_THROWS(q.scores(kernels), E4J_INVALID_ARGUMENT, "query row 1, value 1 is not finite");
  }
}

TEST(zero_rows_score_zero) {
  for (VectorStorage storage : {VectorStorage::Float32, VectorStorage::Int8}) {
    const std::vector<float> zeros(8, 0.0f);
    std::vector<std::byte> rows(2 * vector_row_bytes(storage, 4));
    encode_vectors(storage, zeros.data(), 2, 4, rows.data());
    const int64_t cu_rows[] = {0, 2};
    float score = 1;
    maxsim(cpu::selected_kernels(), {storage, 4, 2, 0, 1}, zeros.data(), rows.data(), cu_rows, &score);
    CHECK_EQ(score, 0.0f);
  }
}
