package io.embed4j.cli.job;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.Embedding;
import io.embed4j.EmbeddingException;
import io.embed4j.Outcome;
import io.embed4j.cli.base.Json;
import io.embed4j.cli.input.Cursor;
import io.embed4j.cli.output.Failures;
import io.embed4j.cli.output.Output;
import java.io.IOException;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Files that survive a crash. Every few seconds what was written goes to the disk, then a point in the journal that says
 * where reading goes on; after a crash the files are cut back to the last point. So each item is in them exactly once.
 */
final class FileDestination implements Destination {
  private final JobFiles files;
  private final Output.Format format;
  private final long syncNanos;
  private final Journal journal;
  private final Output output;
  private final Failures failures;
  private final Tally tally;
  private Cursor cursor;
  private boolean complete;
  private long synced = System.nanoTime();

  /** Opens the files to begin, or to go on from the last point of an earlier run. */
  FileDestination(JobFiles files, JobFiles.Start start, Output.Format format, Map<String, String> settings,
      double syncSeconds, Consumer<String> warnings) throws IOException {
    Journal.Record earlier = files.earlier(start, settings, warnings);
    this.files = files;
    this.format = format;
    this.syncNanos = (long) (1e9 * syncSeconds);
    ObjectNode point = earlier == null ? null : earlier.point();
    this.journal = earlier == null ? files.begin(start, format, settings) : Journal.resume(files.journal(), earlier);
    this.cursor = point == null ? Cursor.START : Json.MAPPER.treeToValue(point.get("cursor"), Cursor.class);
    this.tally = point == null ? new Tally() : Tally.of(point.get("tally"));
    this.complete = point != null && point.path("complete").booleanValue();
    // A complete output has its names already, or gets them: its parts are not to be cut.
    this.output = complete ? null : format.open(point == null ? null : (ObjectNode) point.get("output"));
    this.failures = complete ? null : new Failures(files.errors(), point == null ? 0 : point.get("errors").longValue());
  }

  /** Where reading goes on. */
  Cursor cursor() {
    return cursor;
  }

  Tally tally() {
    return tally;
  }

  /** Whether only the names are missing. */
  boolean complete() {
    return complete;
  }

  @Override
  public void write(Unit unit, Outcome outcome) throws IOException {
    switch (outcome) {
      case Outcome.Success(Embedding embedding) -> output.write(unit.origin(), embedding);
      case Outcome.Failure(EmbeddingException error) ->
          failures.write(unit.item().id(), unit.item().place().json(unit.page()), error);
    }
    cursor = unit.after();
    if (output.due()) sync();
  }

  @Override
  public void pause() throws IOException {
    if (System.nanoTime() - synced >= syncNanos) sync();
  }

  @Override
  public void end(boolean everything) throws IOException {
    if (complete) {
      files.publish(format);
      return;
    }
    sync();
    if (!everything) return;
    output.finish();
    complete = true;
    journal.append(point(null, failures.sync()));
    files.publish(format);
  }

  private void sync() throws IOException {
    ObjectNode state = output.sync();
    journal.append(point(state, failures.sync()));
    synced = System.nanoTime();
  }

  private ObjectNode point(ObjectNode state, long errors) {
    ObjectNode point = Json.MAPPER.createObjectNode();
    point.set("cursor", Json.MAPPER.valueToTree(cursor));
    point.set("tally", tally.json());
    point.put("errors", errors);
    if (state != null) point.set("output", state);
    return complete ? point.put("complete", true) : point;
  }

  @Override
  public void close() throws IOException {
    try (journal; failures; output) {
      return;
    }
  }
}
