package io.embed4j.cli.job;

import java.util.Map;
import java.util.HashMap;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/**
 * Ctrl-C and a polite kill (SIGINT, SIGTERM) while this is open: the first runs an action, the second ends the process at
 * once. {@code sun.misc.Signal} is what the JDK has for it: a shutdown hook could not tell the second.
 */
final class Interruption implements AutoCloseable {
  private static final int SIGNALLED = 128;
  private final Map<Signal, SignalHandler> before = new HashMap<>();
  private volatile int exitCode;

  Interruption(Runnable action) {
    SignalHandler handler = signal -> {
      if (exitCode != 0) Runtime.getRuntime().halt(exitCode);
      exitCode = SIGNALLED + signal.getNumber();
      action.run();
    };
    for (String name : new String[] {"INT", "TERM"}) {
      try {
        Signal signal = new Signal(name);
        before.put(signal, Signal.handle(signal, handler));
      } catch (IllegalArgumentException e) {
        // with -Xrs, or where the system lacks it, the signal ends the process: that can be resumed, too
      }
    }
  }

  /** 128 + the signal's number; 0: there was none. */
  int exitCode() {
    return exitCode;
  }

  @Override
  public void close() {
    before.forEach(Signal::handle);
  }
}
