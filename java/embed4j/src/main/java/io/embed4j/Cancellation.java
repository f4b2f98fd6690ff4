package io.embed4j;

import io.embed4j.batch.StopSignal;

/**
 * A caller's way to stop calls that it, or another thread, has made: {@link EmbeddingModel#embedPrepared(java.util.List,
 * Priority, Cancellation)}. One object may go to many calls; once cancelled it stays so. Thread-safe.
 */
public final class Cancellation {
  private final StopSignal signal = new StopSignal();

  /** Not cancelled. */
  public Cancellation() {}

  /**
   * Ends the calls that have it: those that wait at once, those that run within milliseconds on the CPU, and on a GPU
   * once it is done with what it was given. They throw {@link EmbeddingException} with the code {@link EmbeddingException#CANCELLED}, as will all
   * later ones. Does not wait for them. A second call does nothing.
   */
  public void cancel() {
    signal.give();
  }

  /** Whether {@link #cancel} was called. */
  public boolean cancelled() {
    return signal.given();
  }

  StopSignal signal() {
    return signal;
  }
}
