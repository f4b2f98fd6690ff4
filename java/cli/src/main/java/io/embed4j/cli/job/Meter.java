package io.embed4j.cli.job;

import io.embed4j.cli.base.StatusLine;
import io.embed4j.cli.input.Cursor;
import io.embed4j.cli.input.Items;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;

/** Says how far a job is: a bar on a terminal, a line now and then elsewhere. Not thread-safe. */
final class Meter implements AutoCloseable {
  private static final long REDRAW_NANOS = 200_000_000;

  private final Items items;
  private final PrintWriter err;
  private final StatusLine line = StatusLine.onStandardError(); // null: no terminal
  private final long intervalNanos;
  private final long begin = System.nanoTime();
  private final long itemsBefore;
  private final long tokensBefore;
  private final long imagesBefore;
  private final long doneBefore;
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
    this.intervalNanos = line == null ? (long) (1e9 * intervalSeconds) : REDRAW_NANOS;
    this.itemsBefore = tally.items();
    this.tokensBefore = tally.tokens();
    this.imagesBefore = tally.images();
    this.doneBefore = items.done(start);
    if (line != null) line.show(part(start), "embed");
  }

  /** Says where the job is, when it is time to. */
  void at(Tally tally, Cursor cursor) {
    if (System.nanoTime() - said < intervalNanos) return;
    said = System.nanoTime();
    if (line != null) {
      line.show(part(cursor), timeLeft(cursor) + rates(tally));
    } else {
      String percent = part(cursor) < 0 ? "" : String.format(Locale.ROOT, "%.1f %%, ", 100 * part(cursor));
      err.println("embed4j: " + percent + timeLeft(cursor) + rates(tally));
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

  /** Of the input that is done; negative when its size is unknown. */
  private double part(Cursor cursor) {
    return items.size() <= 0 ? -1 : (double) items.done(cursor) / items.size();
  }

  /** From what of the input is done; nothing when its size is unknown. */
  private String timeLeft(Cursor cursor) {
    long done = items.done(cursor);
    if (items.size() <= 0 || done <= doneBefore) return "";
    return time(seconds() * (items.size() - done) / (done - doneBefore)) + " left, ";
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
    if (line != null) line.clear();
  }
}
