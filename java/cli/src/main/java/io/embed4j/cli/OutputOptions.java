package io.embed4j.cli;

import io.embed4j.cli.job.JobFiles;
import io.embed4j.cli.output.Output;
import io.embed4j.cli.output.Shape;
import io.embed4j.cli.output.VectorType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Where vectors go, in which form, and what survives. */
final class OutputOptions {
  @Option(names = {"-o", "--output"}, paramLabel = "FILE|-", defaultValue = "-",
      description = "A file: .jsonl, .ndjson, .parquet, or .npy with ids beside it; default: standard output, as JSON lines.")
  private String output;

  @Option(names = "--embedding-type", paramLabel = "TYPE", defaultValue = "float32",
      description = "float32 (default), float16, int8 (with a \"scale\" per vector: its largest magnitude / 127) or binary (a "
          + "bit per value, 1 for greater than 0, first value in the highest bit).")
  private VectorType type;

  @Option(names = "--parquet-vectors", paramLabel = "AS",
      description = "list (of numbers) or fixed (a value of so many bytes, little-endian); default: list for float32 and float16, "
          + "fixed for int8 and binary, whose numbers take 4 bytes each in a list.")
  private ParquetVectors parquetVectors;

  @Option(names = "--parquet-row-group", paramLabel = "MIB", defaultValue = "32",
      description = "Size of a row group; default: ${DEFAULT-VALUE}.")
  private int rowGroupMib;

  @Option(names = "--resume", description = "Go on where a job that was killed or stopped has got to; begin when there is none.")
  private boolean resume;

  @Option(names = "--overwrite", description = "Replace an output that exists, and forget a job that was not finished.")
  private boolean overwrite;

  @Option(names = "--max-failures", paramLabel = "N", description = "Stop when more than N items failed; default: never.")
  private Long maxFailures;

  @Option(names = "--fail-fast", description = "Stop at the first item that fails.")
  private boolean failFast;

  @Option(names = "--sync", paramLabel = "SECONDS", defaultValue = "2",
      description = "How much work a crash may cost: what is written goes to the disk this often; default: ${DEFAULT-VALUE}.")
  private double syncSeconds;

  @Option(names = "--progress", paramLabel = "SECONDS", defaultValue = "30",
      description = "Without a terminal, say how far it is this often; default: ${DEFAULT-VALUE}.")
  private double progressSeconds;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  /** What a vector is in a Parquet file. */
  enum ParquetVectors { LIST, FIXED }

  /** Refuses options that exclude each other. */
  void check() {
    if (resume && overwrite) throw usage("--resume and --overwrite exclude each other");
    if (failFast && maxFailures != null) throw usage("--fail-fast is --max-failures 0: give one of them");
    if (maxFailures != null && maxFailures < 0) throw usage("--max-failures is " + maxFailures + ", expected at least 0");
    if (rowGroupMib < 1 || rowGroupMib > 512) throw usage("--parquet-row-group is " + rowGroupMib + ", expected 1 .. 512");
    if (!(syncSeconds >= 0)) throw usage("--sync is " + syncSeconds + ", expected at least 0");
    if (!(progressSeconds > 0)) throw usage("--progress is " + progressSeconds + ", expected more than 0");
    if (isStream() && (resume || overwrite)) throw usage("--resume and --overwrite are for --output FILE");
  }

  /** Standard output, a device or a pipe: what cannot be cut back, so nothing of it can be resumed. */
  boolean isStream() {
    return output.equals("-") || (Files.exists(Path.of(output)) && !Files.isRegularFile(Path.of(output)));
  }

  /** Of an output that is no stream. */
  JobFiles files() {
    return new JobFiles(Path.of(output));
  }

  /** As named. */
  String output() {
    return output;
  }

  VectorType type() {
    return type;
  }

  JobFiles.Start start() {
    return resume ? JobFiles.Start.RESUME : overwrite ? JobFiles.Start.OVERWRITE : JobFiles.Start.NEW;
  }

  long maxFailures() {
    return failFast ? 0 : maxFailures == null ? Long.MAX_VALUE : maxFailures;
  }

  double syncSeconds() {
    return syncSeconds;
  }

  double progressSeconds() {
    return progressSeconds;
  }

  /** The extension tells. */
  Output.Format format(Shape shape) {
    return Output.Format.of(Path.of(output), shape, isFixed(), (long) rowGroupMib << 20);
  }

  private boolean isFixed() {
    return parquetVectors == null ? type == VectorType.INT8 || type == VectorType.BINARY : parquetVectors == ParquetVectors.FIXED;
  }

  /** What decides about the result. */
  void settings(Map<String, String> settings) {
    settings.put("--embedding-type", type.label());
    settings.put("--parquet-vectors", isFixed() ? "fixed" : "list");
    settings.put("--parquet-row-group", Integer.toString(rowGroupMib));
  }

  private ParameterException usage(String message) {
    return new ParameterException(command.commandLine(), message);
  }
}
