package io.embed4j.cli;

import io.embed4j.cli.base.Terminal;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** A progress bar on standard error when that is a terminal, else nothing. */
final class Progress implements AutoCloseable {
  private final ProgressBar bar;

  private Progress(ProgressBar bar) {
    this.bar = bar;
  }

  /** Counts bytes. */
  static Progress ofBytes(String name) {
    if (!Terminal.isStandardError()) return new Progress(null);
    return new Progress(new ProgressBarBuilder().setTaskName(name).setInitialMax(-1).setUnit(" MB", 1_000_000)
        .setStyle(ProgressBarStyle.ASCII).setUpdateIntervalMillis(200).clearDisplayOnFinish().build());
  }

  void at(long done, long total) {
    if (bar != null) bar.maxHint(total).stepTo(done);
  }

  @Override
  public void close() {
    if (bar != null) bar.close();
  }
}
