package io.embed4j.bench.table;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** What rows measure with: the processes of the models, of the native benchmarks and of the peers, started when needed. */
final class Bench implements AutoCloseable {
  private static final String CLASS_PATH = System.getProperty("java.class.path");

  final Settings settings;
  private final Map<String, Double> rates = new HashMap<>();
  private Child nativeBench;
  private OpenModel open;

  /** A model's process and what it said when it was ready. */
  record OpenModel(String key, Child child, JsonNode ready) {
    Cost cost() {
      return Cost.of(ready);
    }

    /** Embeds a text of so many tokens; the answer has seconds and sha256. */
    JsonNode text(int tokens) {
      return child.ask("text " + tokens);
    }
  }

  Bench(Settings settings) {
    this.settings = settings;
  }

  /** The full synthetic model of a type, open until another is asked for. */
  OpenModel model(String type) {
    return model(directory(type), Map.of(), List.of(), "-");
  }

  /** A model opened with this environment and these JVM options, its Java code warmed up with another; "-": not. */
  OpenModel model(Path path, Map<String, String> environment, List<String> jvm, String warm) {
    String key = path + " " + environment + jvm + warm;
    if (open != null && open.key.equals(key)) return open;
    closeModel();
    Child child = java("model", OwnModel.class, environment, jvm, List.of(path.toString(), warm));
    open = new OpenModel(key, child, child.answer("open " + path));
    return open;
  }

  /** Closes the open model, so that its memory is free. */
  void closeModel() {
    if (open == null) return;
    open.child.close();
    open = null;
  }

  /** The process of a main class of this or another class path. */
  static Child java(String name, Class<?> main, Map<String, String> environment, List<String> jvm, List<String> arguments) {
    List<String> command = new ArrayList<>(List.of(ProcessHandle.current().info().command().orElse("java"),
        "--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC"));
    command.addAll(jvm);
    command.addAll(List.of("-cp", CLASS_PATH, main.getName()));
    command.addAll(arguments);
    return new Child(name, command, environment);
  }

  /** Where the full synthetic model of a type lies; it is made when it is not there. */
  Path directory(String type) {
    return made("full", type, false);
  }

  /** The same, its weights as the CPU reads them. */
  Path packed(String type) {
    return made("full", type, true);
  }

  /** Where the tiny synthetic model lies. */
  Path tiny() {
    return made("tiny", "bf16", false);
  }

  private Path made(String config, String type, boolean packed) {
    Path directory = settings.models().resolve(config + "-" + type + (packed ? "-packed" : ""));
    if (Files.isRegularFile(directory.resolve("text.gguf"))) return directory;
    settings.say("making " + directory);
    try {
      Files.createDirectories(settings.models());
      List<String> command = new ArrayList<>(List.of(settings.home().resolve("embed4j").toString(), "synth", directory.toString(),
          "--config", config, "--type", type, "--force"));
      if (packed) command.add("--packed");
      int code = new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD).inheritIO().start().waitFor();
      if (code != 0) throw new IllegalStateException("embed4j synth ended with exit code " + code);
      return directory;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /** Reads a model's files once, so that the system has them in memory. */
  static void readAll(Path model) {
    byte[] buffer = new byte[1 << 20];
    try (Stream<Path> files = Files.isDirectory(model) ? Files.list(model) : Stream.of(model)) {
      for (Path file : files.toList()) {
        try (InputStream in = Files.newInputStream(file)) {
          while (in.read(buffer) >= 0) { }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Asks the native benchmark program (bench/native). */
  JsonNode ask(String question) {
    if (nativeBench == null) nativeBench = new Child("native", List.of(settings.nativeBuild().resolve("bench/embed4j_bench").toString()), Map.of());
    return nativeBench.ask(question);
  }

  /**
   * Operations per second of the best instruction for a type's matrices: "bf16", or "int8" for all quantised types. Measured
   * anew; the most of this run, since others on the machine can only make it less.
   */
  double peak(String type) {
    return most("peak " + (type.equals("bf16") ? "bf16" : "int8"));
  }

  /** Bytes per second read from memory by all processors together, likewise. */
  double readRate() {
    return most("read");
  }

  /** Seconds in which all processors together write once to every page of so much new memory. */
  double newMemorySeconds(long bytes) {
    return ask("new-memory " + bytes).get("seconds").asDouble();
  }

  private double most(String question) {
    return rates.merge(question, ask(question).get("per_second").asDouble(), Math::max);
  }

  @Override
  public void close() {
    closeModel();
    if (nativeBench != null) nativeBench.close();
  }

}
