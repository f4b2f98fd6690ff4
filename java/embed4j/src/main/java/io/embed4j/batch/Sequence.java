package io.embed4j.batch;

/**
 * One sequence of tokens to run and what is wanted of it.
 *
 * @param tokenIds [n], n at least 1
 * @param adapter index of the adapter to apply, or -1
 * @param multiVector true: a vector per token; false: the mean hidden state
 * @param truncated the text had more tokens
 */
public record Sequence(int[] tokenIds, int adapter, boolean multiVector, boolean truncated) {}
