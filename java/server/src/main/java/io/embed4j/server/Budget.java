package io.embed4j.server;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** Bytes that may be held at the same time. Thread-safe. */
final class Budget {
  private final long limit;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition freed = lock.newCondition();
  private long used;

  Budget(long limit) {
    this.limit = limit;
  }

  long limit() {
    return limit;
  }

  long used() {
    lock.lock();
    try {
      return used;
    } finally {
      lock.unlock();
    }
  }

  /** Takes the bytes if they are free. */
  boolean take(long bytes) {
    lock.lock();
    try {
      if (bytes > limit - used) return false;
      used += bytes;
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Takes the bytes, waiting for them until a time of {@link System#nanoTime}; false when it has passed. */
  boolean take(long bytes, long deadline) throws InterruptedException {
    lock.lock();
    try {
      while (bytes > limit - used) {
        long left = deadline - System.nanoTime();
        if (left <= 0 || bytes > limit) return false;
        freed.await(left, TimeUnit.NANOSECONDS);
      }
      used += bytes;
      return true;
    } finally {
      lock.unlock();
    }
  }

  void give(long bytes) {
    lock.lock();
    try {
      used -= bytes;
      freed.signalAll();
    } finally {
      lock.unlock();
    }
  }
}
