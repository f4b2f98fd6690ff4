package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What the library reads once per process, such as environment variables, is tried in a JVM of its own. */
final class ChildJvm {
  private ChildJvm() {}

  /** Runs a class of the tests and returns what it wrote; it must end well. */
  static String run(Map<String, String> environment, Class<?> main, String... arguments) throws Exception {
    return run(environment, System.getProperty("java.class.path"), main.getName(), arguments);
  }

  /** Runs a class that lies elsewhere. */
  static String run(Map<String, String> environment, String classPath, String main, String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(), "--enable-native-access=ALL-UNNAMED",
        "-cp", classPath, main));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().putAll(environment);
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    return output;
  }
}
