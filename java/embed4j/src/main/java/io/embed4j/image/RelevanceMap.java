package io.embed4j.image;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.Locale;
import javax.imageio.ImageIO;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/**
 * Where on a page a query's relevance lies: the page in grey under a smooth layer of colour, stronger and darker where
 * the scores are higher, with a legend below.
 *
 * <p>Half of the page, what scores below the median, stays free of colour. Scores lie at the centres of the merged
 * patches; between them the layer is their cubic B-spline, which does not overshoot.
 */
public final class RelevanceMap {
  /** Longer side of the painted page: smaller ones are enlarged, larger ones reduced. */
  private static final int MIN_SIDE = 800;

  private static final int MAX_SIDE = 1600;

  /** Part of the page's contrast that stays under the colour. */
  private static final double PAGE_CONTRAST = 0.85;

  private static final int LEGEND_HEIGHT = 64;

  private RelevanceMap() {}

  /**
   * Paints the map.
   *
   * @param page the picture that was embedded
   * @param grid of its patches
   * @param mergeSize patches per score and side
   * @param scores [grid.height / mergeSize][grid.width / mergeSize], finite; higher is more relevant
   * @return the page at 800 to 1600 pixels on its longer side, and the legend
   * @throws IllegalArgumentException when the scores do not fit the grid or are not finite
   */
  public static BufferedImage paint(RgbImage page, ImageGrid grid, int mergeSize, float[] scores) {
    if (grid.temporal() != 1 || scores.length != grid.tokens(mergeSize)) {
      throw new IllegalArgumentException(
          "%d scores for a grid of %d x %d x %d patches merged by %d"
              .formatted(scores.length, grid.temporal(), grid.height(), grid.width(), mergeSize));
    }
    float[] sorted = scores.clone();
    Arrays.sort(sorted);
    float low = sorted[(sorted.length - 1) / 2];
    float high = sorted[sorted.length - 1];
    if (!Float.isFinite(sorted[0]) || !Float.isFinite(high)) {
      throw new IllegalArgumentException("the scores are not finite");
    }
    RgbImage base = scaled(page);
    float[] strengths = new float[scores.length]; // 0 to 1
    for (int i = 0; i < scores.length; i++) {
      strengths[i] = high == low ? 0 : Math.max(0, (scores[i] - low) / (high - low));
    }
    float[] layer =
        Spline.enlarge(strengths, grid.width() / mergeSize, grid.height() / mergeSize, base.width(), base.height());
    float peak = 0;
    for (float strength : layer) {
      peak = Math.max(peak, strength);
    }
    if (peak > 0) { // smoothing flattens: the best place gets the strongest colour again
      for (int i = 0; i < layer.length; i++) {
        layer[i] /= peak;
      }
    }

    int width = Math.max(base.width(), Legend.MIN_WIDTH);
    BufferedImage map = new BufferedImage(width, base.height() + LEGEND_HEIGHT, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = map.createGraphics();
    graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    graphics.setColor(Color.WHITE);
    graphics.fillRect(0, 0, map.getWidth(), map.getHeight());
    overlay(map, base, layer, (width - base.width()) / 2);
    Legend.draw(graphics, base.height(), width, LEGEND_HEIGHT, number(low), number(high));
    graphics.dispose();
    return map;
  }

  /** Paints the map and writes it as PNG. The stream stays open. */
  public static void write(RgbImage page, ImageGrid grid, int mergeSize, float[] scores, OutputStream png)
      throws IOException {
    BufferedImage map = paint(page, grid, mergeSize, scores);
    try (MemoryCacheImageOutputStream out = new MemoryCacheImageOutputStream(png)) {
      if (!ImageIO.write(map, "png", out)) {
        throw new IOException("this Java runtime has no PNG encoder");
      }
    }
  }

  private static RgbImage scaled(RgbImage page) {
    int side = Math.max(page.width(), page.height());
    double factor = (double) Math.clamp(side, MIN_SIDE, MAX_SIDE) / side;
    return BicubicResize.resize(
        page,
        Math.max(1, (int) Math.round(page.width() * factor)),
        Math.max(1, (int) Math.round(page.height() * factor)));
  }

  private static void overlay(BufferedImage map, RgbImage base, float[] layer, int left) {
    byte[] rgb = base.rgb();
    for (int y = 0, i = 0; y < base.height(); y++) {
      for (int x = 0; x < base.width(); x++, i++) {
        double grey =
            0.299 * (rgb[3 * i] & 0xFF) + 0.587 * (rgb[3 * i + 1] & 0xFF) + 0.114 * (rgb[3 * i + 2] & 0xFF);
        map.setRGB(left + x, y, HeatColors.over(255 - PAGE_CONTRAST * (255 - grey), layer[i]));
      }
    }
  }

  private static String number(float value) {
    return String.format(Locale.ROOT, Math.abs(value) < 100 ? "%.2f" : "%.0f", value);
  }
}
