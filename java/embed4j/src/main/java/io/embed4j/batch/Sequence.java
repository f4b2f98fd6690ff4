package io.embed4j.batch;

import io.embed4j.image.ImageGrid;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * One sequence of tokens to run and what is wanted of it.
 *
 * @param tokenIds [n], n at least 1
 * @param adapter index of the adapter to apply, or -1
 * @param image the picture among the tokens, or null
 * @param pooled ranges whose mean hidden state is wanted
 * @param dimensions leading entries of each mean that are wanted, 1 .. hidden_size
 * @param rows the range whose multi-vector rows are wanted, or null
 */
public record Sequence(int[] tokenIds, int adapter, Image image, List<Range> pooled, int dimensions, Range rows) {

  /** Half-open, in tokens of the sequence; not empty. */
  public record Range(int begin, int end) {
    /** Tokens. */
    public int length() {
      return end - begin;
    }
  }

  /**
   * A picture, its tokens next to each other.
   *
   * @param patches float32 [grid.patches()][patch values]
   * @param grid of the patches
   * @param firstToken index of the first image token
   * @param tokens image tokens: merged patches
   * @param positions [3][n], M-RoPE positions of the whole sequence
   */
  public record Image(MemorySegment patches, ImageGrid grid, int firstToken, int tokens, int[][] positions) {}

  /** Tokens. */
  public int length() {
    return tokenIds.length;
  }
}
