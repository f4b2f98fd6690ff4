package io.embed4j.batch;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** Lends lanes, each to one caller at a time, to callers in the order in which they came. Parks virtual threads without
 * holding a carrier. Thread-safe. */
final class Turns {
  private final ReentrantLock lock = new ReentrantLock();
  private final Deque<Lane> idle;
  private final Deque<Condition> callers = new ArrayDeque<>(); // that wait, in their order

  Turns(List<Lane> lanes) {
    this.idle = new ArrayDeque<>(lanes);
  }

  /** Waits for a lane, which must be given back; null when the signal came first. */
  Lane take(StopSignal stop) throws InterruptedException {
    Condition caller = lock.newCondition();
    Runnable wake = () -> signal(caller);
    stop.add(wake);
    try {
      lock.lockInterruptibly();
      try {
        callers.add(caller);
        try {
          while ((callers.peek() != caller || idle.isEmpty()) && !stop.given()) caller.await();
          return stop.given() ? null : idle.remove();
        } finally {
          callers.remove(caller);
          signalNext();
        }
      } finally {
        lock.unlock();
      }
    } finally {
      stop.remove(wake);
    }
  }

  /** Waits for a lane, which must be given back. */
  Lane takeUninterruptibly() {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return take(new StopSignal());
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) Thread.currentThread().interrupt();
    }
  }

  void give(Lane lane) {
    lock.lock();
    try {
      idle.add(lane);
      signalNext();
    } finally {
      lock.unlock();
    }
  }

  private void signalNext() {
    if (!idle.isEmpty() && !callers.isEmpty()) callers.peek().signal();
  }

  private void signal(Condition caller) {
    lock.lock();
    try {
      caller.signal();
    } finally {
      lock.unlock();
    }
  }
}
