package io.embed4j.image;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.geom.AffineTransform;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import org.apache.fontbox.ttf.TTFParser;
import org.apache.fontbox.ttf.TrueTypeFont;
import org.apache.pdfbox.io.RandomAccessReadBuffer;
import org.apache.pdfbox.pdmodel.PDDocument;

/**
 * The bar of colours below a relevance map and what its ends mean. Letters are outlines of the font that PDFBox brings:
 * a server without fonts draws them, too.
 */
final class Legend {
  static final int MIN_WIDTH = 420;

  private static final String FONT = "/org/apache/pdfbox/resources/ttf/LiberationSans-Regular.ttf";
  private static final int MARGIN = 20;
  private static final int BAR_HEIGHT = 14;
  private static final double TEXT_SIZE = 15;
  private static final int MAX_BAR_WIDTH = 420;

  private Legend() {}

  /** Draws within a band of the picture, from its top row on. */
  static void draw(Graphics2D graphics, int top, int width, int height, String low, String high) {
    try (InputStream in = PDDocument.class.getResourceAsStream(FONT);
        TrueTypeFont font = new TTFParser().parse(new RandomAccessReadBuffer(in))) {
      int barWidth = Math.min(MAX_BAR_WIDTH, width - 2 * MARGIN);
      int left = (width - barWidth) / 2;
      int barTop = top + 12;
      for (int x = 0; x < barWidth; x++) {
        double strength = x / (barWidth - 1.0);
        graphics.setColor(new Color(HeatColors.over(255, strength)));
        graphics.fillRect(left + x, barTop, 1, BAR_HEIGHT);
      }
      graphics.setColor(Color.GRAY);
      graphics.drawRect(left, barTop, barWidth - 1, BAR_HEIGHT - 1);
      graphics.setColor(Color.DARK_GRAY);
      double baseline = top + height - 18;
      text(graphics, font, "not relevant (below " + low + ")", left, baseline, 0);
      text(graphics, font, "most relevant (" + high + ")", left + barWidth, baseline, 1);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Text whose start (0) or end (1) lies at x. */
  private static void text(
      Graphics2D graphics, TrueTypeFont font, String text, double x, double baseline, int anchor)
      throws IOException {
    double scale = TEXT_SIZE / font.getUnitsPerEm();
    double length = 0;
    for (int i = 0; i < text.length(); i++) {
      length += scale * font.getAdvanceWidth(glyph(font, text.charAt(i)));
    }
    double at = x - anchor * length;
    for (int i = 0; i < text.length(); i++) {
      int glyph = glyph(font, text.charAt(i));
      AffineTransform place = new AffineTransform(scale, 0, 0, -scale, at, baseline);
      if (font.getGlyph().getGlyph(glyph) != null) { // a space has no outline
        graphics.fill(place.createTransformedShape(font.getGlyph().getGlyph(glyph).getPath()));
      }
      at += scale * font.getAdvanceWidth(glyph);
    }
  }

  private static int glyph(TrueTypeFont font, char character) throws IOException {
    return font.getUnicodeCmapLookup().getGlyphId(character);
  }
}
