package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.convert.WeightType;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The README's example, compiled and run as it stands. */
class ReadmeTest {
  @TempDir
  Path folder;

  @Test
  void theExampleRuns() throws Exception {
    Matcher example = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL).matcher(Files.readString(Path.of("../../README.md")));
    assertTrue(example.find(), "the README has an example");
    Path source = Files.writeString(folder.resolve("Example.java"), example.group(1));
    String classPath = System.getProperty("java.class.path");
    assertEquals(0, ToolProvider.getSystemJavaCompiler().run(null, null, null,
        "-Xlint:all,-path", "-cp", classPath, "-d", folder.toString(), source.toString()));

    Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--enable-native-access=ALL-UNNAMED", "-cp", classPath + ":" + folder, "Example",
        TinyModel.of(WeightType.BF16).toString()).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    assertTrue(output.matches("(?s)cosine -?0\\.\\d{4}, cut to 128 dimensions -?0\\.\\d{4}\n\\d+ vectors of 128, .*"), output);
  }
}
