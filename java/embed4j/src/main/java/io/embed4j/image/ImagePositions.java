package io.embed4j.image;

import java.util.List;

/**
 * M-RoPE positions of a prompt with images (Qwen2.5-VL's get_rope_index for still images): a text token has the same
 * position in all three rows; image tokens have the temporal, row and column index of their merged patch, counted from
 * the position the next text token would have had; the text after an image goes on at the largest position plus one.
 */
public final class ImagePositions {
  private ImagePositions() {}

  /**
   * Positions of one sequence.
   *
   * @param tokenIds the sequence
   * @param imageTokenId the placeholder: every run of it is one image
   * @param grids of the images, in their order in the sequence
   * @param mergeSize the vision tower's spatial_merge_size
   * @return int[3][tokenIds.length]: temporal, height, width
   * @throws IllegalArgumentException when runs and grids do not match in number or length
   */
  public static int[][] of(int[] tokenIds, int imageTokenId, List<ImageGrid> grids, int mergeSize) {
    int[][] positions = new int[3][tokenIds.length];
    int next = 0;
    int image = 0;
    for (int i = 0; i < tokenIds.length; ) {
      if (tokenIds[i] != imageTokenId) {
        positions[0][i] = positions[1][i] = positions[2][i] = next++;
        i++;
        continue;
      }
      int end = i;
      while (end < tokenIds.length && tokenIds[end] == imageTokenId) {
        end++;
      }
      if (image == grids.size()) {
        throw new IllegalArgumentException(
            "image tokens at %d, but only %d images".formatted(i, grids.size()));
      }
      ImageGrid grid = grids.get(image++);
      if (end - i != grid.tokens(mergeSize)) {
        throw new IllegalArgumentException(
            "%d image tokens at %d, expected %d for a grid of %d x %d x %d"
                .formatted(end - i, i, grid.tokens(mergeSize),
                    grid.temporal(), grid.height(), grid.width()));
      }
      int height = grid.height() / mergeSize;
      int width = grid.width() / mergeSize;
      for (int token = 0; i < end; token++, i++) {
        positions[0][i] = next + token / (height * width);
        positions[1][i] = next + token / width % height;
        positions[2][i] = next + token % width;
      }
      next += Math.max(grid.temporal(), Math.max(height, width));
    }
    if (image != grids.size()) {
      throw new IllegalArgumentException(
          "%d images, but only %d runs of image tokens".formatted(grids.size(), image));
    }
    return positions;
  }
}
