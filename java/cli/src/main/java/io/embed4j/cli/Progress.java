package io.embed4j.cli;

import io.embed4j.cli.base.StatusLine;
import java.util.Locale;

/** How many bytes of a file are written, on standard error when that is a terminal. Not thread-safe. */
final class Progress implements AutoCloseable {
  private static final long INTERVAL_NANOS = 200_000_000;
  private static final double MEGABYTE = 1e6;

  private final StatusLine line = StatusLine.onStandardError();
  private final String name;
  private long shown = System.nanoTime() - INTERVAL_NANOS;

  Progress(String name) {
    this.name = name;
  }

  void at(long done, long total) {
    if (line == null || System.nanoTime() - shown < INTERVAL_NANOS) return;
    shown = System.nanoTime();
    line.show((double) done / Math.max(1, total),
        String.format(Locale.ROOT, "%s: %,.0f of %,.0f MB", name, done / MEGABYTE, total / MEGABYTE));
  }

  @Override
  public void close() {
    if (line != null) line.clear();
  }
}
