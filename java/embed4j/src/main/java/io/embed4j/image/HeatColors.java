package io.embed4j.image;

/**
 * A sequential colour map from pale yellow over orange and red to magenta. Lightness falls evenly, so that the order
 * shows without colour vision, too, and ends half way, so that black print can be read on every colour.
 */
final class HeatColors {
  /** sRGB, evenly spaced over strengths from 0 to 1; CIE L* 95, 88, 79, 69, 59, 48. */
  private static final int[] STOPS = {0xFFF3B8, 0xFFD97A, 0xFDB45A, 0xF98B54, 0xEE5F62, 0xD02A78};

  /** How much of the layer multiplies the page, as ink does; the rest covers it, to show on dark pages. */
  private static final double INK = 0.65;

  private static final double MAX_COVER = 0.8;

  private HeatColors() {}

  /** The colour of a strength from 0 to 1 laid over a grey from 0 to 255, as 0xRRGGBB; strength 0 leaves the grey. */
  static int over(double grey, double strength) {
    double opacity = Math.min(1, 1.5 * Math.max(0, strength));
    double position = Math.clamp(strength, 0, 1) * (STOPS.length - 1);
    int stop = Math.min((int) position, STOPS.length - 2);
    double t = position - stop;
    int result = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
      int from = STOPS[stop] >> shift & 0xFF;
      int to = STOPS[stop + 1] >> shift & 0xFF;
      double color = from + t * (to - from);
      double inked = grey * (1 - opacity + opacity * color / 255);
      double covered = grey + MAX_COVER * opacity * (color - grey);
      result |= (int) Math.clamp(Math.round(INK * inked + (1 - INK) * covered), 0, 255) << shift;
    }
    return result;
  }
}
