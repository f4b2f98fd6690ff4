package io.embed4j.cli;

import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** A progress bar on standard error when that is a terminal, else nothing. */
final class Progress implements AutoCloseable {
  private final ProgressBar bar;

  private Progress(ProgressBar bar) {
    this.bar = bar;
  }

  /** Counts items; total -1 when unknown. */
  static Progress ofItems(String name, long total) {
    return of(name, total, " items", 1);
  }

  /** Counts bytes. */
  static Progress ofBytes(String name) {
    return of(name, -1, " MB", 1_000_000);
  }

  private static Progress of(String name, long total, String unit, long unitSize) {
    if (!Terminal.isStandardError()) return new Progress(null);
    return new Progress(new ProgressBarBuilder().setTaskName(name).setInitialMax(total).setUnit(unit, unitSize)
        .setStyle(ProgressBarStyle.ASCII).setUpdateIntervalMillis(200).clearDisplayOnFinish().build());
  }

  /** Says that an item turned out to be so many more. */
  void expect(long more) {
    if (bar != null && bar.getMax() > 0) bar.maxHint(bar.getMax() + more);
  }

  void step(long count) {
    if (bar != null) bar.stepBy(count);
  }

  void at(long done, long total) {
    if (bar != null) bar.maxHint(total).stepTo(done);
  }

  @Override
  public void close() {
    if (bar != null) bar.close();
  }
}
