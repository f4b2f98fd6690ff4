package io.embed4j.ffm;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Function;

/**
 * An opaque native handle and the guarantee the C side asks for: no call runs on a closed handle, and {@link #close}
 * waits for the calls in flight. Thread-safe; closing twice is a no-op.
 */
abstract class Handle implements AutoCloseable {
  private final String name;
  private final MethodHandle closer;
  private final ReadWriteLock lock = new ReentrantReadWriteLock();
  private MemorySegment address;

  /** @param closer void (handle*) */
  Handle(String name, MemorySegment address, MethodHandle closer) {
    this.name = name;
    this.address = address;
    this.closer = closer;
  }

  /**
   * Runs the body with the open handle; it stays open until the body returns.
   *
   * @throws IllegalStateException when closed
   */
  final <T> T use(Function<MemorySegment, T> body) {
    lock.readLock().lock();
    try {
      if (address == null) throw new IllegalStateException(name + " is closed");
      return body.apply(address);
    } finally {
      lock.readLock().unlock();
    }
  }

  /** Frees what belongs to the handle on the Java side; runs once, just before the native close. */
  void release() {}

  @Override
  public final void close() {
    lock.writeLock().lock();
    try {
      if (address == null) return;
      release();
      MemorySegment closing = address;
      address = null;
      closer.invokeExact(closing);
    } catch (Throwable e) {
      throw Calls.rethrown(e);
    } finally {
      lock.writeLock().unlock();
    }
  }
}
