package io.embed4j.server;

import io.embed4j.Outcome;
import java.util.concurrent.CompletableFuture;

/**
 * One request among those that wait for a model: its items may enter the queue one after another and come back in any
 * order. Ends once, by its last outcome, {@link #cancel} or {@link #expire}. Thread-safe.
 */
final class Job {
  private final long deadline;
  private final Outcome[] outcomes;
  private final CompletableFuture<Void> end = new CompletableFuture<>();
  private int missing;
  /** The place in the queue's order up to which this request has items; guarded by the dispatcher's lock. */
  long place;
  /** Items in the queue; guarded by the dispatcher's lock. */
  int queued;

  /** The client is gone, or the server stops: nobody waits for the outcome. */
  static final class Cancelled extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Cancelled(String message) {
      super(message, null, false, false);
    }
  }

  /**
   * A request.
   *
   * @param deadline of {@link System#nanoTime}
   */
  Job(int items, long deadline) {
    this.outcomes = new Outcome[items];
    this.missing = items;
    this.deadline = deadline;
  }

  long deadline() {
    return deadline;
  }

  boolean over() {
    return end.isDone() || System.nanoTime() - deadline >= 0;
  }

  /** Completes when all outcomes are there, exceptionally when cancelled. */
  CompletableFuture<Void> end() {
    return end;
  }

  void complete(int index, Outcome outcome) {
    synchronized (outcomes) {
      if (outcomes[index] != null) throw new AssertionError("item " + index + " came back twice");
      outcomes[index] = outcome;
      if (--missing > 0) return;
    }
    end.complete(null);
  }

  /** Nobody waits any longer. */
  void cancel(String why) {
    end.completeExceptionally(new Cancelled(why));
  }

  /** The deadline has passed. */
  void expire() {
    end.completeExceptionally(late());
  }

  /** Of a request that was not done by its deadline. */
  static RequestException late() {
    return RequestException.of(Problem.DEADLINE, "the request was not done in time");
  }

  /** All of them; only after {@link #end} has completed. */
  Outcome[] outcomes() {
    synchronized (outcomes) {
      return outcomes;
    }
  }
}
