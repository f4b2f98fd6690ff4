package io.embed4j.batch;

import java.util.List;

/**
 * What a sequence gave.
 *
 * @param pooled per pooled range: the mean hidden state [dimensions], not normalised; the receiver's own
 * @param rows [range length][multi_vector_dim], each row of length 1; empty when no rows were asked for
 */
public record Vectors(List<float[]> pooled, float[] rows) {}
