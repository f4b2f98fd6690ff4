package io.embed4j;

/**
 * Where the image tokens of a picture lie: row-major, one token per square of merged patches.
 *
 * @param rows tokens from top to bottom
 * @param columns tokens from left to right
 * @param firstRow index of the first image token among the rows of the picture's multi-vector
 */
public record PatchGrid(int rows, int columns, int firstRow) {

  /** Image tokens. */
  public int tokens() {
    return rows * columns;
  }
}
