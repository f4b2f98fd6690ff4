package io.embed4j;

import io.embed4j.image.ImageGrid;
import io.embed4j.image.RelevanceMap;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Where on a page a query's relevance lies: for every image token, the mean of its cosine with the query's tokens.
 *
 * @param grid of the page's image tokens
 * @param scores [grid.rows][grid.columns], -1 .. 1, row by row
 */
public record SimilarityMap(PatchGrid grid, float[] scores) {
  /** For pages that can be drawn at any size: about 1,240 by 1,750 for A4. */
  private static final long PAINTED_PIXELS = 600_000;

  /**
   * The map of a query over a page.
   *
   * @param query the multi-vector of a text
   * @param page the multi-vector of a picture
   * @throws IllegalArgumentException when the page is no picture or the sizes of the vectors differ
   */
  public static SimilarityMap of(MultiVectorEmbedding query, MultiVectorEmbedding page) {
    PatchGrid grid = page.grid().orElseThrow(() -> new IllegalArgumentException("the page is the embedding of a text"));
    if (query.dimensions() != page.dimensions()) {
      throw new IllegalArgumentException("vectors of " + query.dimensions() + " and " + page.dimensions() + " dimensions");
    }
    double[] sum = new double[query.dimensions()];
    for (int r = 0; r < query.rows(); r++) {
      float[] row = query.row(r);
      for (int i = 0; i < sum.length; i++) sum[i] += row[i];
    }
    float[] scores = new float[grid.tokens()];
    for (int t = 0; t < scores.length; t++) {
      float[] row = page.row(grid.firstRow() + t);
      double dot = 0;
      for (int i = 0; i < sum.length; i++) dot += sum[i] * row[i];
      scores[t] = (float) (dot / query.rows());
    }
    return new SimilarityMap(grid, scores);
  }

  /** One image token's place on the page, from 0, and its score. */
  public record Place(int row, int column, float score) {}

  /** At most so many of the best places, best first, no two of them next to each other. */
  public List<Place> best(int most) {
    List<Place> places = IntStream.range(0, scores.length)
        .mapToObj(i -> new Place(i / grid.columns(), i % grid.columns(), scores[i]))
        .sorted(Comparator.comparing(Place::score, Comparator.reverseOrder())).toList();
    List<Place> best = new ArrayList<>();
    for (Place place : places) {
      if (best.size() >= most) break;
      if (best.stream().noneMatch(b -> Math.abs(b.row - place.row) <= 1 && Math.abs(b.column - place.column) <= 1)) best.add(place);
    }
    return best;
  }

  /**
   * Paints the map over the page, with a legend, as PNG. The stream stays open.
   *
   * @param page the picture that was embedded
   * @throws EmbeddingException when the picture cannot be read
   * @throws UncheckedIOException when the stream cannot be written
   */
  public void writePng(ImageInput page, OutputStream png) {
    try {
      RelevanceMap.write(page.read(PAINTED_PIXELS), new ImageGrid(1, grid.rows(), grid.columns()), 1, scores, png);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
