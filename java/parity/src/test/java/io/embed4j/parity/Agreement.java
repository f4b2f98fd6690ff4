package io.embed4j.parity;

import io.embed4j.DenseEmbedding;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.MultiVectorEmbedding;
import io.embed4j.Outcome;
import io.embed4j.convert.WeightType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** How near a model's vectors come to the reference, over many texts or pictures: cosines. */
record Agreement(double denseWorst, double denseMean, double dense128Worst, double rowWorst, double rowMean) {

  /** Dense, cut and multi-vector of the inputs, mixed in one list. */
  static Agreement of(EmbeddingModel model, List<? extends Reference.Expected> inputs) {
    List<EmbeddingRequest> requests = new ArrayList<>();
    for (Reference.Expected input : inputs) {
      requests.add(input.request());
      requests.add(input.request().multiVector(true));
      requests.add(input.request().dimensions(128));
    }
    List<Outcome> outcomes = model.embedAll(requests);
    List<Double> dense = new ArrayList<>();
    List<Double> dense128 = new ArrayList<>();
    List<Double> rows = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      Reference.Expected input = inputs.get(i);
      DenseEmbedding whole = outcomes.get(3 * i).orThrow().dense();
      dense.add(Reference.cosine(input.dense(), whole.toArray()));
      MultiVectorEmbedding multi = outcomes.get(3 * i + 1).orThrow().multiVector();
      if (multi.rows() != input.multi().rows() || whole.tokens() != input.tokens()) {
        throw new AssertionError(input.id() + " has " + multi.rows() + " rows, expected " + input.multi().rows());
      }
      rows.add(Reference.cosine(input.multi().first(), multi.row(0)));
      rows.add(Reference.cosine(input.multi().middle(), multi.row(multi.rows() / 2)));
      rows.add(Reference.cosine(input.multi().last(), multi.row(multi.rows() - 1)));
      rows.add(Reference.cosine(input.multi().mean(), mean(multi)));
      dense128.add(Reference.cosine(input.dense128(), outcomes.get(3 * i + 2).orThrow().dense().toArray()));
    }
    return new Agreement(worst(dense), mean(dense), worst(dense128), worst(rows), mean(rows));
  }

  /** The project's bars; for the rows of quantised weights, twice the error that the formats were seen to have. */
  void require(WeightType type) {
    switch (type) {
      case F32 -> require(0.999999, 0.999999, 0.99999, 0.99999);
      case BF16, F16 -> require(0.9999, 0.9999, 0.997, 0.9998);
      case Q8_0 -> require(0.9995, 0.9995, 0.997, 0.9993);
      case Q6_K -> require(0.997, 0.997, 0.98, 0.9966);
      case Q4_K_M -> require(0.966, 0.982, 0.87, 0.967);
    }
  }

  /** The bars for pictures; PyTorch wholly in bf16 gets 0.99983 and, for rows, 0.9995 here. Single rows in q8_0 as above. */
  void requireOfPictures(WeightType type) {
    switch (type) {
      case F32 -> requireWorst(0.999999, 0.999999);
      case BF16 -> requireWorst(0.9997, 0.999);
      case Q8_0 -> require(0.999, 0.999, 0.997, 0.9993);
      default -> throw new IllegalArgumentException("no bar for " + type);
    }
  }

  /** Dense and cut vectors at least so near, rows at least so near. */
  void requireWorst(double dense, double row) {
    require(dense, dense, row, row);
  }

  private void require(double worst, double mean, double row, double rows) {
    require("dense", denseWorst, worst);
    require("dense, mean", denseMean, mean);
    require("dense128", dense128Worst, worst);
    require("multi-vector rows", rowWorst, row);
    require("multi-vector rows, mean", rowMean, rows);
  }

  private static void require(String what, double cosine, double least) {
    if (!(cosine >= least)) throw new AssertionError(what + ": cosine " + cosine + ", expected at least " + least);
  }

  private static float[] mean(MultiVectorEmbedding multi) {
    float[] mean = new float[multi.dimensions()];
    for (float[] row : multi.toArrays()) {
      for (int i = 0; i < mean.length; i++) mean[i] += row[i];
    }
    return mean;
  }

  private static double worst(List<Double> cosines) {
    return cosines.stream().mapToDouble(Double::doubleValue).min().orElseThrow();
  }

  private static double mean(List<Double> cosines) {
    return cosines.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "dense %.7f (mean %.7f), dense128 %.7f, multi-vector rows %.7f (mean %.7f)",
        denseWorst, denseMean, dense128Worst, rowWorst, rowMean);
  }
}
