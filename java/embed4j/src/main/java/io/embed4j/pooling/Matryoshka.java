package io.embed4j.pooling;

import io.embed4j.EmbeddingException;
import java.util.Arrays;
import java.util.List;

/**
 * The sizes a dense vector may be cut to, after Matryoshka representation learning (Kusupati et al. 2022): the model was
 * trained so that the first n entries serve alone, for the n it lists.
 *
 * @param dims ascending; the last is not above hidden_size
 */
public record Matryoshka(List<Integer> dims) {

  /** Refuses a size that is not listed or is above the size at hand, naming the list. */
  public void check(int dimensions, int most) {
    if (dimensions != most && (!dims.contains(dimensions) || dimensions > most)) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, "dimensions is " + dimensions
          + ", expected one of " + dims + (dims.getLast() > most ? " up to " + most : ""));
    }
  }

  /** A copy of the first entries, scaled to Euclidean length 1; zeros stay zeros. */
  public static float[] unit(float[] vector, int dimensions) {
    return scaleToUnit(Arrays.copyOf(vector, dimensions));
  }

  /** Scales the array itself to Euclidean length 1 and returns it; zeros stay zeros. */
  public static float[] scaleToUnit(float[] vector) {
    double squares = 0;
    for (float value : vector) squares += (double) value * value;
    double scale = squares == 0 ? 0 : 1 / Math.sqrt(squares);
    for (int i = 0; i < vector.length; i++) vector[i] = (float) (vector[i] * scale);
    return vector;
  }
}
