package io.embed4j.bench;

import io.embed4j.DocumentVectors;
import io.embed4j.MaxSim;
import io.embed4j.VectorStorage;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * What the storage forms of late interaction lose, as a Markdown table: how the rankings and scores of each agree with
 * float32's on {@link Pages}. Two forms that the library does not offer stand beside its own: binary rows against the
 * query in float32, and against the signs of the query.
 */
public final class MaxSimLoss {
  private static final int SIZE = 1000;
  private static final int ROWS = 256;
  private static final int QUERIES = 200;
  private static final int QUERY_ROWS = 16;
  private static final double[] NOISES = {0.5, 0.8, 1.1};

  private MaxSimLoss() {}

  /** One way to score all pages. */
  private record Form(String name, Function<float[], float[]> score) {}

  public static void main(String[] arguments) {
    System.out.printf(Locale.ROOT, "%d pages of %d rows, %d queries of %d rows.%n%n", SIZE, ROWS, QUERIES, QUERY_ROWS);
    System.out.println("| noise | form | bytes a row | page found first | float32's first: first | among 20 | top-10 overlap"
        + " | rank correlation | score correlation |");
    System.out.println("|---|---|---|---|---|---|---|---|---|");
    for (double noise : NOISES) {
      Pages pages = new Pages(1, SIZE, ROWS, QUERIES, QUERY_ROWS, noise);
      try (Arena arena = Arena.ofShared()) {
        List<Form> forms = forms(pages.pages, arena);
        List<float[]> reference = pages.queries.stream().map(query -> forms.getFirst().score.apply(query.vectors())).toList();
        for (Form form : forms) print(noise, form, pages, reference);
      }
    }
  }

  private static List<Form> forms(List<float[]> pages, Arena arena) {
    List<Form> forms = new ArrayList<>();
    for (VectorStorage storage : VectorStorage.values()) {
      DocumentVectors documents = DocumentVectors.encode(storage, Pages.DIMENSIONS, pages, arena);
      forms.add(new Form(storage + " | " + storage.rowBytes(Pages.DIMENSIONS), query -> MaxSim.scoreParallel(query, documents)));
    }
    DocumentVectors signs = DocumentVectors.encode(
        VectorStorage.FLOAT32, Pages.DIMENSIONS, pages.stream().map(MaxSimLoss::signs).toList(), arena);
    forms.add(new Form("bits, float32 query (not offered) | 16", query -> MaxSim.scoreParallel(query, signs)));
    forms.add(new Form("bits, query in bits too (not offered) | 16", query -> MaxSim.scoreParallel(signs(query), signs)));
    return forms;
  }

  private static float[] signs(float[] vectors) {
    return VectorStorage.BINARY.decode(VectorStorage.BINARY.encode(vectors, Pages.DIMENSIONS), Pages.DIMENSIONS);
  }

  private static void print(double noise, Form form, Pages pages, List<float[]> reference) {
    double found = 0;
    double sameFirst = 0;
    double amongTwenty = 0;
    double overlap = 0;
    double ranks = 0;
    double correlation = 0;
    for (int q = 0; q < QUERIES; q++) {
      float[] scores = form.score.apply(pages.queries.get(q).vectors());
      int[] order = order(scores);
      int[] expected = order(reference.get(q));
      found += order[0] == pages.queries.get(q).page() ? 1 : 0;
      sameFirst += order[0] == expected[0] ? 1 : 0;
      amongTwenty += IntStream.of(order).limit(20).filter(page -> page == expected[0]).count();
      overlap += IntStream.of(order).limit(10).filter(page -> IntStream.of(expected).limit(10).anyMatch(p -> p == page)).count();
      ranks += correlation(places(order), places(expected));
      correlation += correlation(doubles(scores), doubles(reference.get(q)));
    }
    System.out.printf(Locale.ROOT, "| %.1f | %s | %.1f %% | %.1f %% | %.1f %% | %.1f %% | %.4f | %.4f |%n", noise, form.name,
        100 * found / QUERIES, 100 * sameFirst / QUERIES, 100 * amongTwenty / QUERIES, 10 * overlap / QUERIES, ranks / QUERIES,
        correlation / QUERIES);
  }

  /** Pages by falling score. */
  private static int[] order(float[] scores) {
    return IntStream.range(0, scores.length).boxed()
        .sorted(Comparator.comparingDouble((Integer page) -> -scores[page])).mapToInt(Integer::intValue).toArray();
  }

  private static double[] places(int[] order) {
    double[] places = new double[order.length];
    for (int place = 0; place < order.length; place++) places[order[place]] = place;
    return places;
  }

  private static double[] doubles(float[] x) {
    return IntStream.range(0, x.length).mapToDouble(i -> x[i]).toArray();
  }

  /** Pearson's; of places, Spearman's. */
  private static double correlation(double[] x, double[] y) {
    double meanX = 0;
    double meanY = 0;
    for (int i = 0; i < x.length; i++) {
      meanX += x[i] / x.length;
      meanY += y[i] / x.length;
    }
    double xy = 0;
    double xx = 0;
    double yy = 0;
    for (int i = 0; i < x.length; i++) {
      xy += (x[i] - meanX) * (y[i] - meanY);
      xx += (x[i] - meanX) * (x[i] - meanX);
      yy += (y[i] - meanY) * (y[i] - meanY);
    }
    return xy / Math.sqrt(xx * yy);
  }
}
