package io.embed4j.bench.table;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Measures rows of the table and writes results.json, table.md and the plots. */
@Command(name = "bench/run", mixinStandardHelpOptions = true, sortOptions = false,
    description = "Measures Embed4J on this machine against what limits it and against peers, in turns, and writes a table with "
        + "gates and goals, its figures as JSON and two plots.")
final class Main implements Runnable {
  /** Behind the commit when native or Java sources differ from it. */
  static final String CHANGES = "+changes";

  private static final List<String> ALL_TYPES = List.of("bf16", "q8_0", "q4_k_m");

  @Option(names = "--home", required = true, hidden = true)
  private Path home;

  @Option(names = "--models", paramLabel = "DIR", required = true,
      description = "Where the full synthetic models lie, full-TYPE each; what is missing is made (16 GB for all three types).")
  private Path models;

  @Option(names = "--out", paramLabel = "DIR", description = "Where the results go; default: bench/results/(date)-(machine).")
  private Path out;

  @Option(names = "--machine", paramLabel = "NAME", defaultValue = "machine", description = "The machine's name in --out's default.")
  private String machine;

  @Option(names = "--rows", split = ",", paramLabel = "ROW",
      description = "Rows to measure, by id or by its first words, such as text or peer-ik_llama.cpp-q8_0; default: all that the "
          + "peers given allow. --list shows them.")
  private List<String> chosen = List.of();

  @Option(names = "--list", description = "List the rows and stop.")
  private boolean list;

  @Option(names = "--table", description = "Measure nothing; write the table and the plots anew from --out's results.json.")
  private boolean table;

  @Option(names = "--types", split = ",", paramLabel = "TYPE", defaultValue = "bf16,q8_0,q4_k_m",
      description = "Weight types; default: ${DEFAULT-VALUE}.")
  private List<String> types;

  @Option(names = "--lengths", split = ",", paramLabel = "N", defaultValue = "16,128,512,2048,8192",
      description = "Tokens of the texts in the peers' rows; default: ${DEFAULT-VALUE}.")
  private List<Integer> lengths;

  @Option(names = "--runs", paramLabel = "N", defaultValue = "5",
      description = "Samples of what takes less than a minute in all; longer ones get fewer. Default: ${DEFAULT-VALUE}.")
  private int runs;

  @Option(names = "--ik", paramLabel = "FILE", description = "ik_llama.cpp's llama-bench.")
  private Path llamaBench;

  @Option(names = "--node", paramLabel = "DIR", description = "A folder where npm installed node-llama-cpp.")
  private Path nodeModules;

  public static void main(String[] arguments) {
    System.exit(new CommandLine(new Main()).execute(arguments));
  }

  @Override
  public void run() {
    Settings settings = new Settings(home, models.toAbsolutePath(), types, lengths, runs, home.resolve("native/target/cmake"),
        new Settings.Peers(llamaBench, nodeModules, home.resolve("bench/peers")));
    List<Row> all = rowsOf(types);
    if (list) {
      all.forEach(row -> System.out.printf("%-40s %s%n", row.id(), row.title()));
      return;
    }
    List<Row> rows = table ? List.of() : all.stream().filter(this::isChosen).toList();
    if (!table && rows.isEmpty()) throw new IllegalArgumentException("no row matches " + chosen + "; --list shows them");
    Path directory = out != null ? out : home.resolve("bench/results").resolve(LocalDate.now() + "-" + machine);
    Results results = new Results(directory);
    // A run that is ended from outside leaves no process behind.
    Runtime.getRuntime().addShutdownHook(
        new Thread(() -> ProcessHandle.current().descendants().forEach(ProcessHandle::destroyForcibly)));
    List<String> failed = new ArrayList<>();
    try (Bench bench = new Bench(settings)) {
      for (Row row : rows) {
        settings.say(row.id() + ": " + row.title());
        try {
          Neighbours neighbours = new Neighbours();
          Row.Outcome outcome = row.measure().take(bench);
          results.put(row, outcome, thisRun().put("others_share", neighbours.share()));
          settings.say("%s = %.3f %s (%s)".formatted(row.id(), outcome.value(), row.unit(), outcome.says()));
        } catch (RuntimeException e) {
          failed.add(row.id());
          settings.say(row.id() + " failed: " + e.getMessage());
          bench.closeModel();
        }
        write(results, directory);
      }
    }
    if (table) write(results, directory);
    settings.say("written to " + directory);
    if (!failed.isEmpty()) throw new IllegalStateException("rows that failed: " + failed);
  }

  /** The table holds earlier runs' rows too, whichever types were chosen now. */
  private void write(Results results, Path directory) {
    Plots.write(results.rows(), directory);
    results.writeTable(rowsOf(ALL_TYPES).stream().map(Row::id).toList(), thisMachine());
  }

  private List<Row> rowsOf(List<String> types) {
    List<Row> rows = new ArrayList<>(TextRows.of(types));
    rows.addAll(MachineRows.of(types));
    rows.addAll(KernelRows.of());
    rows.addAll(PeerRows.of(types, lengths));
    return rows;
  }

  /** Without --rows: everything but the rows of peers that are not there. */
  private boolean isChosen(Row row) {
    if (!chosen.isEmpty()) {
      return chosen.stream().anyMatch(words -> row.id().equals(words) || row.id().startsWith(words + "-"));
    }
    if (row.id().contains("ik_llama.cpp")) return llamaBench != null;
    if (row.id().contains("node-llama-cpp")) return nodeModules != null;
    boolean javaPeer = row.id().contains("java-llama.cpp") || row.id().startsWith("gemm-bf16");
    return !javaPeer || Files.isRegularFile(home.resolve("bench/peers/target/peers.jar"));
  }

  private ObjectNode thisRun() {
    String command = "bench/run" + (chosen.isEmpty() ? "" : " --rows " + String.join(",", chosen)) + " --types "
        + String.join(",", types) + " --runs " + runs;
    String commit = said("git", "-C", home.toString(), "rev-parse", "--short", "HEAD")
        + (said("git", "-C", home.toString(), "status", "--porcelain", "-uno", "--", "native", "java").isEmpty() ? "" : CHANGES);
    return Child.JSON.createObjectNode().put("commit", commit).put("command", command).put("date", LocalDate.now().toString());
  }

  private static String thisMachine() {
    String model = said("sh", "-c", "sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1");
    return "%s, %d processors, %s; Java %s; %s".formatted(model, Runtime.getRuntime().availableProcessors(),
        said("uname", "-sr"), System.getProperty("java.version"), said("sh", "-c", "c++ --version | head -n 1"));
  }

  private static String said(String... command) {
    try {
      Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
      String output = new String(process.getInputStream().readAllBytes()).strip();
      process.waitFor();
      return output;
    } catch (IOException e) {
      return "unknown (" + Arrays.toString(command) + ")";
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
