package io.embed4j.pooling;

import io.embed4j.EmbeddingException;
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

  /** The first entries, scaled to Euclidean length 1; zeros stay zeros. */
  public static float[] unit(float[] vector, int dimensions) {
    double squares = 0;
    for (int i = 0; i < dimensions; i++) squares += (double) vector[i] * vector[i];
    double scale = squares == 0 ? 0 : 1 / Math.sqrt(squares);
    float[] unit = new float[dimensions];
    for (int i = 0; i < dimensions; i++) unit[i] = (float) (vector[i] * scale);
    return unit;
  }
}
