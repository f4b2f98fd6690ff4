package io.embed4j.bench.table;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A process that answers each line of its input with one line of JSON; what it says otherwise goes to a log file. */
final class Child implements AutoCloseable {
  static final ObjectMapper JSON = new ObjectMapper();

  /** A process that ended where an answer was expected. */
  static final class Ended extends RuntimeException {
    Ended(String message) {
      super(message);
    }
  }

  private final String name;
  private final Path log;
  private final Process process;
  private final BufferedReader answers;
  private final BufferedWriter questions;

  Child(String name, List<String> command, Map<String, String> environment) {
    this.name = name;
    try {
      this.log = Files.createTempFile("embed4j-bench-" + name + "-", ".log");
      log.toFile().deleteOnExit();
      ProcessBuilder builder = new ProcessBuilder(command).redirectError(log.toFile());
      builder.environment().putAll(environment);
      this.process = builder.start();
    } catch (IOException e) {
      throw new UncheckedIOException(name + " cannot be started as " + command, e);
    }
    this.answers = process.inputReader(StandardCharsets.UTF_8);
    this.questions = process.outputWriter(StandardCharsets.UTF_8);
  }

  /** Asks and waits for the answer. */
  JsonNode ask(String line) {
    try {
      questions.write(line);
      questions.newLine();
      questions.flush();
    } catch (IOException e) {
      throw ended(line);
    }
    return answer(line);
  }

  /** Waits for an answer, such as the one a process gives when it is ready. */
  JsonNode answer(String question) {
    try {
      for (String line; (line = answers.readLine()) != null; ) {
        if (!line.startsWith("{")) continue; // what a library prints there
        JsonNode answer = JSON.readTree(line);
        if (answer.has("error")) throw new IllegalStateException(name + ", \"" + question + "\": " + answer.get("error").asText());
        return answer;
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    throw ended(question);
  }

  private Ended ended(String question) {
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) process.destroyForcibly();
      int code = process.waitFor();
      List<String> lines = Files.readAllLines(log);
      return new Ended(name + " ended with exit code " + code + (code > 128 ? " (signal " + (code - 128) + ")" : "") + " at \""
          + question + "\": " + String.join(" | ", lines.subList(Math.max(0, lines.size() - 3), lines.size())));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    try {
      questions.close();
      if (!process.waitFor(30, TimeUnit.SECONDS)) process.destroyForcibly().waitFor();
    } catch (IOException e) {
      process.destroyForcibly();
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
