package io.embed4j.image;

/**
 * Patches of one image: grid_thw of the checkpoint's image processor.
 *
 * @param temporal 1 for a still image
 * @param height rows of patches, a multiple of the merge size
 * @param width patches per row, a multiple of the merge size
 */
public record ImageGrid(int temporal, int height, int width) {

  /** Throws IllegalArgumentException for a grid that is empty or has more than 2^24 patches. */
  public ImageGrid {
    if (temporal < 1 || height < 1 || width < 1 || (long) height * width > (1L << 24) / temporal) {
      throw new IllegalArgumentException(
          "a grid of %d x %d x %d patches, expected 1 to 2^24 patches"
              .formatted(temporal, height, width));
    }
  }

  /** Rows of the patch matrix. */
  public int patches() {
    return temporal * height * width;
  }

  /** Image tokens in the prompt: patches after merging mergeSize x mergeSize of them. */
  public int tokens(int mergeSize) {
    if (mergeSize < 1 || height % mergeSize != 0 || width % mergeSize != 0) {
      throw new IllegalArgumentException(
          "a grid of %d x %d patches cannot be merged by %d".formatted(height, width, mergeSize));
    }
    return patches() / (mergeSize * mergeSize);
  }
}
