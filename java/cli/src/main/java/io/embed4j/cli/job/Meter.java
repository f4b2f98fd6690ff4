package io.embed4j.cli.job;

import io.embed4j.cli.base.Terminal;
import io.embed4j.cli.input.Cursor;
import io.embed4j.cli.input.Items;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** Says how far a job is: a bar on a terminal, a line now and then elsewhere. Not thread-safe. */
final class Meter implements AutoCloseable {
  private final Items items;
  private final PrintWriter err;
  private final long intervalNanos;
  private final long begin = System.nanoTime();
  private final long itemsBefore;
  private final long tokensBefore;
  private final long imagesBefore;
  private final long doneBefore;
  private final ProgressBar bar;
  private long said = begin;

  /**
   * Begins to measure.
   *
   * @param tally of earlier runs
   * @param start where reading begins
   */
  Meter(Items items, Tally tally, Cursor start, PrintWriter err, double intervalSeconds) {
    this.items = items;
    this.err = err;
    this.intervalNanos = (long) (1e9 * intervalSeconds);
    this.itemsBefore = tally.items();
    this.tokensBefore = tally.tokens();
    this.imagesBefore = tally.images();
    this.doneBefore = items.done(start);
    this.bar = Terminal.isStandardError() ? bar() : null;
  }

  private ProgressBar bar() {
    ProgressBarBuilder builder = new ProgressBarBuilder().setTaskName("embed").setInitialMax(items.size())
        .setStyle(ProgressBarStyle.ASCII).setUpdateIntervalMillis(200).clearDisplayOnFinish()
        .startsFrom(doneBefore, Duration.ZERO);
    if (items.sizeInBytes()) builder.setUnit(" MB", 1_000_000);
    return builder.build();
  }

  /** Says where the job is. */
  void at(Tally tally, Cursor cursor) {
    if (bar != null) {
      bar.stepTo(items.done(cursor));
      bar.setExtraMessage(" " + rates(tally));
    } else if (System.nanoTime() - said >= intervalNanos) {
      said = System.nanoTime();
      err.println("embed4j: " + rates(tally) + timeLeft(cursor));
      err.flush();
    }
  }

  /** The last word. */
  String summary(Tally tally) {
    return rates(tally) + String.format(Locale.ROOT, "; %,d tokens in %s", tally.tokens(), time(seconds()));
  }

  private String rates(Tally tally) {
    double seconds = Math.max(1e-3, seconds());
    String images = tally.images() == 0 ? ""
        : String.format(Locale.ROOT, ", %.1f images/s", (tally.images() - imagesBefore) / seconds);
    return String.format(Locale.ROOT, "%,d items, %s, %,.0f items/s, %,.0f tokens/s%s", tally.items(), tally.failures(),
        (tally.items() - itemsBefore) / seconds, (tally.tokens() - tokensBefore) / seconds, images);
  }

  /** From what of the input is read; nothing when its size is unknown. */
  private String timeLeft(Cursor cursor) {
    long done = items.done(cursor);
    if (items.size() <= 0 || done <= doneBefore) return "";
    double left = seconds() * (items.size() - done) / (done - doneBefore);
    return String.format(Locale.ROOT, ", %.1f %%, %s left", 100.0 * done / items.size(), time(left));
  }

  private double seconds() {
    return (System.nanoTime() - begin) / 1e9;
  }

  private static String time(double seconds) {
    if (seconds < 60) return String.format(Locale.ROOT, "%.1f s", seconds);
    Duration duration = Duration.ofSeconds(Math.round(seconds));
    return duration.toHours() == 0
        ? duration.toMinutes() + " min " + duration.toSecondsPart() + " s"
        : duration.toHours() + " h " + duration.toMinutesPart() + " min";
  }

  @Override
  public void close() {
    if (bar != null) bar.close();
  }
}
