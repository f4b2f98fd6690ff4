package io.embed4j.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;

class RelevanceMapTest {
  private static final ImageGrid GRID = new ImageGrid(1, 20, 16); // 10 x 8 scores
  private final RgbImage page = white(448, 560);

  @Test
  void theBestPatchIsTheMostColouredPlace() throws IOException {
    float[] scores = new float[80];
    scores[6 * 8 + 2] = 0.9f;
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    RelevanceMap.write(page, GRID, 2, scores, png);
    BufferedImage map = ImageIO.read(new ByteArrayInputStream(png.toByteArray()));
    assertEquals(640, map.getWidth()); // the longer side enlarged to 800
    assertTrue(map.getHeight() > 800, "a legend below the page");
    int best = -1;
    int bestX = 0;
    int bestY = 0;
    for (int y = 0; y < 800; y++) {
      for (int x = 0; x < 640; x++) {
        if (colourfulness(map.getRGB(x, y)) > best) {
          best = colourfulness(map.getRGB(x, y));
          bestX = x;
          bestY = y;
        }
      }
    }
    assertEquals(2.5 * 80, bestX, 4);
    assertEquals(6.5 * 80, bestY, 4);
    assertEquals(0xFFFFFF, map.getRGB(600, 100) & 0xFFFFFF, "far away the page is as it was");
  }

  @Test
  void thePageStaysReadableUnderTheStrongestColour() {
    int onWhite = HeatColors.over(255, 1);
    int onPrint = HeatColors.over(255 * 0.15, 1);
    assertTrue(luma(onWhite) - luma(onPrint) > 55, luma(onWhite) + " on white, " + luma(onPrint) + " on print");
    assertTrue(luma(HeatColors.over(255, 0.5)) > luma(onWhite));
    assertEquals(0x404040, HeatColors.over(64, 0));
  }

  @Test
  void equalScoresColourNothing() {
    float[] scores = new float[80];
    Arrays.fill(scores, 0.5f);
    BufferedImage map = RelevanceMap.paint(page, GRID, 2, scores);
    for (int x = 0; x < 640; x += 40) {
      assertEquals(0xFFFFFF, map.getRGB(x, 400) & 0xFFFFFF);
    }
  }

  @Test
  void anySizeOfPageIsPainted() {
    float[] scores = new float[80];
    scores[0] = 1;
    for (int[] size : new int[][] {{1, 1}, {4000, 20}, {20, 4000}, {3000, 4200}}) {
      BufferedImage map = RelevanceMap.paint(white(size[0], size[1]), GRID, 2, scores);
      assertTrue(Math.max(map.getWidth(), map.getHeight()) <= 1700, Arrays.toString(size));
    }
  }

  @Test
  void refusesScoresThatDoNotFit() {
    assertThrows(IllegalArgumentException.class, () -> RelevanceMap.paint(page, GRID, 2, new float[79]));
    float[] scores = new float[80];
    scores[3] = Float.NaN;
    assertThrows(IllegalArgumentException.class, () -> RelevanceMap.paint(page, GRID, 2, scores));
    scores[3] = Float.NEGATIVE_INFINITY;
    assertThrows(IllegalArgumentException.class, () -> RelevanceMap.paint(page, GRID, 2, scores));
  }

  private static RgbImage white(int width, int height) {
    byte[] rgb = new byte[3 * width * height];
    Arrays.fill(rgb, (byte) 255);
    return new RgbImage(width, height, rgb);
  }

  private static int colourfulness(int rgb) {
    int red = rgb >> 16 & 0xFF;
    int green = rgb >> 8 & 0xFF;
    int blue = rgb & 0xFF;
    return Math.max(red, Math.max(green, blue)) - Math.min(red, Math.min(green, blue));
  }

  private static double luma(int rgb) {
    return 0.299 * (rgb >> 16 & 0xFF) + 0.587 * (rgb >> 8 & 0xFF) + 0.114 * (rgb & 0xFF);
  }
}
