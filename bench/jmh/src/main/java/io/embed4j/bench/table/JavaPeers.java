package io.embed4j.bench.table;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** The peers that are Java libraries, each in a process of its own; the module bench/peers holds their main classes. */
final class JavaPeers {
  private JavaPeers() {}

  /** Answers "gemm M N K" with oneDNN's seconds. */
  static Child oneDnn(Settings settings) {
    String threads = Integer.toString(Runtime.getRuntime().availableProcessors());
    return start(settings, "onednn", "io.embed4j.bench.peers.OneDnn", Map.of("OMP_NUM_THREADS", threads), List.of());
  }

  /** java-llama.cpp on a GGUF; answers "text N" and "vector N". */
  static Child javaLlama(Settings settings, Path gguf) {
    return start(settings, "java-llama", "io.embed4j.bench.peers.JavaLlama", Map.of(), List.of(gguf.toString()));
  }

  private static Child start(Settings settings, String name, String main, Map<String, String> environment, List<String> arguments) {
    Path jar = settings.peers().javaPeers().resolve("target/peers.jar");
    if (!Files.isRegularFile(jar)) {
      throw new IllegalStateException(jar + " is not there: mvn -Ppeers -pl bench/peers -am -DskipTests package");
    }
    List<String> command = new java.util.ArrayList<>(List.of(ProcessHandle.current().info().command().orElse("java"),
        "--enable-native-access=ALL-UNNAMED", "-Xmx2g", "-cp",
        jar + File.pathSeparator + jar.resolveSibling("lib") + File.separator + "*", main));
    command.addAll(arguments);
    return new Child(name, command, environment);
  }
}
