package io.embed4j.cli.job;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.cli.base.Json;
import io.embed4j.cli.base.UnusableException;
import io.embed4j.cli.output.Output;
import io.embed4j.cli.output.PartFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.function.Consumer;

/** The files of a job and what they say of an earlier run. */
public final class JobFiles {
  /** What to do about an earlier run. */
  public enum Start {
    /** Refuse to touch it. */
    NEW,
    /** Go on where it stopped; begin when there was none. */
    RESUME,
    /** Forget it. */
    OVERWRITE
  }

  /** Name of the setting that does not hinder resuming: a job may move to another machine. */
  public static final String CPU_TIER = "CPU tier";

  private final Path output;
  private final Path errors;
  private final Path journal;

  /** Of an output. */
  public JobFiles(Path output) {
    this.output = output;
    this.errors = output.resolveSibling(output.getFileName() + ".errors.jsonl");
    this.journal = output.resolveSibling(output.getFileName() + ".progress");
  }

  Path output() {
    return output;
  }

  Path errors() {
    return errors;
  }

  /** Of a job that is complete. */
  public boolean someFailed() {
    return Files.exists(errors);
  }

  Path journal() {
    return journal;
  }

  /**
   * Refuses what would lose something, before anything is opened.
   *
   * @return whether there is nothing to do: the job to resume was completed
   */
  public boolean check(Start start) {
    boolean begun = Files.exists(journal);
    switch (start) {
      case NEW -> {
        if (begun) {
          throw new UnusableException(journal + " is of a job that was not finished: --resume goes on with it, --overwrite "
              + "begins anew", null);
        }
        for (Path file : List.of(output, errors)) {
          if (Files.exists(file)) throw new UnusableException(file + " exists; --overwrite replaces it", null);
        }
      }
      case RESUME -> {
        return !begun && Files.exists(output);
      }
      case OVERWRITE -> { }
    }
    return false;
  }

  /** The last point of an earlier run under the same settings, or null: begin. */
  Journal.Record earlier(Start start, Map<String, String> settings, Consumer<String> warnings) throws IOException {
    if (start != Start.RESUME) return null;
    Journal.Record record = Journal.read(journal);
    if (record == null) return null;
    List<String> differences = new ArrayList<>();
    for (String name : new TreeSet<>(union(record.begun(), settings))) {
      String then = record.begun().path(name).textValue();
      String now = settings.get(name);
      if (Objects.equals(then, now)) continue;
      String difference = name + " was " + (then == null ? "not set" : then) + " and is now " + (now == null ? "not set" : now);
      if (!name.equals(CPU_TIER)) differences.add(difference);
      else warnings.accept(difference + ": vectors from here on may differ in their last bits from those of one run");
    }
    if (!differences.isEmpty()) {
      throw new UnusableException("cannot resume " + output + ": " + String.join("; ", differences)
          + ". Run it as before, or begin anew with --overwrite", null);
    }
    return record;
  }

  private static List<String> union(ObjectNode begun, Map<String, String> settings) {
    List<String> names = new ArrayList<>(settings.keySet());
    begun.fieldNames().forEachRemaining(names::add);
    return names;
  }

  /** Begins the journal; the complete output of an earlier run stays until there is a new one. */
  Journal begin(Start start, Output.Format format, Map<String, String> settings) throws IOException {
    for (Path file : format.parts().values()) {
      if (start != Start.OVERWRITE && Files.exists(file)) {
        throw new UnusableException(file + " exists; --overwrite replaces it", null);
      }
    }
    return Journal.begin(journal, Json.MAPPER.valueToTree(settings));
  }

  /** Gives complete files their names and removes what was needed on the way. May be done twice. */
  void publish(Output.Format format) throws IOException {
    for (Map.Entry<Path, Path> part : format.parts().entrySet()) PartFile.rename(part.getKey(), part.getValue());
    PartFile.syncFolder(output);
    for (Path scratch : format.scratch()) Files.deleteIfExists(scratch);
    Files.deleteIfExists(journal);
  }
}
