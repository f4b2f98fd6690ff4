package io.embed4j.pooling;

/** Similarities between vectors, summed in double. */
public final class Similarity {
  private Similarity() {}

  /** The cosine of two vectors of one size; 0 when either is all zeros. */
  public static double cosine(float[] a, float[] b) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < a.length; i++) {
      ab += (double) a[i] * b[i];
      aa += (double) a[i] * a[i];
      bb += (double) b[i] * b[i];
    }
    double lengths = Math.sqrt(aa) * Math.sqrt(bb);
    return lengths == 0 ? 0 : Math.clamp(ab / lengths, -1.0, 1.0);
  }

  /**
   * Late interaction as ColBERT defines it (Khattab and Zaharia 2020): for each query row the largest dot product with a
   * document row, summed.
   *
   * @param query [n][dimensions], rows of length 1
   * @param document [m][dimensions], rows of length 1
   */
  public static double maxSim(float[] query, float[] document, int dimensions) {
    double sum = 0;
    for (int q = 0; q < query.length; q += dimensions) {
      double best = Double.NEGATIVE_INFINITY;
      for (int d = 0; d < document.length; d += dimensions) {
        double dot = 0;
        for (int i = 0; i < dimensions; i++) dot += (double) query[q + i] * document[d + i];
        best = Math.max(best, dot);
      }
      sum += best;
    }
    return sum;
  }
}
