package io.embed4j.server;

/** What one request holds of a budget; given back when it is over. Thread-safe. */
final class Reservation implements AutoCloseable {
  private final Budget budget;
  private long bytes;
  private boolean closed;

  Reservation(Budget budget) {
    this.budget = budget;
  }

  /** Takes more; false when it is not free, or the request is over. */
  synchronized boolean take(long more) {
    if (closed || !budget.take(more)) return false;
    bytes += more;
    return true;
  }

  @Override
  public synchronized void close() {
    if (!closed) budget.give(bytes);
    closed = true;
  }
}
