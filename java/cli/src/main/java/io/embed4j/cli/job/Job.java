package io.embed4j.cli.job;

import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.Outcome;
import io.embed4j.cli.base.UnusableException;
import io.embed4j.cli.input.Cursor;
import io.embed4j.cli.input.Items;
import io.embed4j.cli.output.JsonLines;
import io.embed4j.cli.output.Output;
import io.embed4j.cli.output.Shape;
import io.embed4j.cli.output.WriteFailedException;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Map;

/**
 * Embeds all items, in order.
 *
 * @param maxBatchTokens of the model
 * @param maxFailures stop when more items than this failed
 * @param err for people
 * @param intervalSeconds between lines that say how far it is, where there is no terminal
 */
public record Job(EmbeddingModel model, int maxBatchTokens, Items items, Requests requests, long maxFailures,
    PrintWriter err, double intervalSeconds) {

  private static final String HOW_TO_GO_ON = "Run the same command with --resume to go on.";

  /** How a job ended. */
  public sealed interface End {
    /** Everything was read and written. */
    record Complete(boolean someFailed) implements End {}

    /** More failed than were to. */
    record TooManyFailed(String item) implements End {}

    /** By Ctrl-C or a polite kill: 128 + the number of the signal. */
    record Interrupted(int exitCode) implements End {}
  }

  /** Writes to standard output, a pipe or a device. */
  public End toStream(JsonLines lines, Shape shape) throws Exception {
    try (StreamDestination destination = new StreamDestination(lines, shape)) {
      return run(destination, new Tally(), Cursor.START, "");
    }
  }

  /**
   * Writes to files that survive a crash.
   *
   * @param settings what decides about the result: names and values
   * @param syncSeconds between points to go on from
   */
  public End toFiles(JobFiles files, JobFiles.Start start, Output.Format format, Map<String, String> settings,
      double syncSeconds) throws Exception {
    try (FileDestination destination = new FileDestination(files, start, format, settings, syncSeconds,
        warning -> err.println("embed4j: " + warning))) {
      Tally tally = destination.tally();
      if (destination.complete()) {
        destination.end(true);
        err.println("embed4j: " + files.output() + " is complete");
        return new End.Complete(tally.failed() > 0);
      }
      Cursor cursor = destination.cursor();
      if (tally.items() > 0) {
        err.printf("embed4j: going on after %,d items%n", tally.items());
        items.resume(cursor);
      }
      try {
        return run(destination, tally, cursor, " " + HOW_TO_GO_ON);
      } catch (WriteFailedException e) {
        throw new UnusableException(e.getMessage() + ". " + HOW_TO_GO_ON, e);
      }
    }
  }

  private End run(Destination destination, Tally tally, Cursor start, String howToGoOn) throws Exception {
    boolean toFiles = destination instanceof FileDestination;
    End end;
    String summary;
    try (Reading reading = new Reading(items, requests, start);
        Pipeline pipeline = new Pipeline(model, maxBatchTokens, items, reading);
        Interruption interruption = new Interruption(() -> stop(pipeline));
        Meter meter = new Meter(items, tally, start, err, intervalSeconds)) {
      String tooMany = null;
      Pipeline.Batch batch = take(pipeline, destination);
      while (batch != null) {
        tooMany = write(batch, destination, tally);
        if (tooMany != null) break;
        pipeline.written(batch);
        destination.pause();
        meter.at(tally, batch.units().getLast().after());
        batch = take(pipeline, destination);
      }
      boolean complete = tooMany == null && pipeline.complete();
      destination.end(complete);
      end = tooMany != null ? new End.TooManyFailed(tooMany)
          : complete ? new End.Complete(tally.failed() > 0) : new End.Interrupted(interruption.exitCode());
      summary = meter.summary(tally);
    }
    switch (end) {
      case End.Complete complete -> {
        if (toFiles) err.println("embed4j: " + summary);
      }
      case End.TooManyFailed(String item) -> err.println("embed4j: stopped, more than " + maxFailures + " failed: " + item
          + "; " + summary + "." + howToGoOn);
      case End.Interrupted interrupted -> err.println("embed4j: stopped; " + summary + "." + howToGoOn);
    }
    return end;
  }

  private void stop(Pipeline pipeline) {
    err.println("embed4j: finishing the batch in flight; a second signal ends at once");
    pipeline.stop();
  }

  /** What was finished before an error is written for good before it is thrown. */
  private static Pipeline.Batch take(Pipeline pipeline, Destination destination) throws Exception {
    try {
      return pipeline.take();
    } catch (Exception e) {
      destination.end(false);
      throw e;
    }
  }

  /**
   * Writes a batch up to the first item that fails beyond the number that may: into a file that item does not go, so that
   * resuming tries it again.
   *
   * @return what happened to it, or null
   */
  private String write(Pipeline.Batch batch, Destination destination, Tally tally) throws IOException {
    for (int i = 0; i < batch.units().size(); i++) {
      Unit unit = batch.units().get(i);
      Outcome outcome = batch.outcomes().get(i);
      if (outcome instanceof Outcome.Failure(EmbeddingException error) && tally.failed() >= maxFailures) {
        if (destination instanceof StreamDestination) destination.write(unit, outcome);
        return unit.item().place().json(unit.page()) + " " + error.code() + ": " + error.getMessage();
      }
      tally.add(outcome);
      destination.write(unit, outcome);
    }
    return null;
  }
}
