package io.embed4j.image;

/** Smooth enlargement of a grid of values by the uniform cubic B-spline; edges are repeated. */
final class Spline {
  private final int[] first; // leftmost of four control points
  private final float[] weights; // [size][4]
  private final int points;

  private Spline(int points, int size) {
    this.points = points;
    this.first = new int[size];
    this.weights = new float[4 * size];
    for (int i = 0; i < size; i++) {
      double position = (i + 0.5) * points / size - 0.5; // values lie at the centres of their cells
      int cell = (int) Math.floor(position);
      double t = position - cell;
      first[i] = cell - 1;
      weights[4 * i] = (float) ((1 - t) * (1 - t) * (1 - t) / 6);
      weights[4 * i + 1] = (float) ((3 * t * t * t - 6 * t * t + 4) / 6);
      weights[4 * i + 2] = (float) ((-3 * t * t * t + 3 * t * t + 3 * t + 1) / 6);
      weights[4 * i + 3] = (float) (t * t * t / 6);
    }
  }

  /** values [rows][columns] at [height][width]. */
  static float[] enlarge(float[] values, int columns, int rows, int width, int height) {
    Spline horizontal = new Spline(columns, width);
    Spline vertical = new Spline(rows, height);
    float[] wide = new float[rows * width];
    for (int y = 0; y < rows; y++) {
      for (int x = 0; x < width; x++) {
        wide[y * width + x] = horizontal.at(x, values, y * columns, 1);
      }
    }
    float[] result = new float[height * width];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        result[y * width + x] = vertical.at(y, wide, x, width);
      }
    }
    return result;
  }

  private float at(int i, float[] values, int offset, int stride) {
    float sum = 0;
    for (int k = 0; k < 4; k++) {
      sum += weights[4 * i + k] * values[offset + Math.clamp(first[i] + k, 0, points - 1) * stride];
    }
    return sum;
  }
}
