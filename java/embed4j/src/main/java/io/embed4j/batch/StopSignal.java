package io.embed4j.batch;

import java.util.ArrayList;
import java.util.List;

/** Says once to whoever listens that a call is no longer wanted. Thread-safe. */
public final class StopSignal {
  private final List<Runnable> listeners = new ArrayList<>();
  private volatile boolean given;

  /** Tells all listeners; those that come later are told at once. */
  public synchronized void give() {
    given = true;
    listeners.forEach(Runnable::run);
  }

  /** Whether it was given. */
  public boolean given() {
    return given;
  }

  /** The listener must not wait for whoever holds a lock while calling this class. */
  synchronized void add(Runnable listener) {
    listeners.add(listener);
    if (given) listener.run();
  }

  /** After this the listener is not called again. */
  synchronized void remove(Runnable listener) {
    listeners.remove(listener);
  }
}
