package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.convert.WeightType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The README's examples, compiled and run as they stand. */
class ReadmeTest {
  @TempDir
  Path folder;

  @Test
  void theFirstExampleRuns() throws Exception {
    String output = run("Example", TinyModel.of(WeightType.BF16).toString());
    assertTrue(output.matches("(?s)cosine -?0\\.\\d{4}, cut to 128 dimensions -?0\\.\\d{4}\n\\d+ vectors of 128, .*"), output);
  }

  @Test
  void theExampleOfPagesRuns() throws Exception {
    Path map = folder.resolve("map.png");
    String output = run("Pages", TinyModel.of(WeightType.BF16).toString(),
        "../cli/src/main/resources/io/embed4j/cli/report.pdf", map.toString());
    assertTrue(output.matches("(?s)page 1: 736 image tokens, MaxSim .*best at \\[Place\\[.*\n2 chunks of \\d+ tokens\n"), output);
    assertTrue(Files.size(map) > 10_000);
  }

  @Test
  void whatItPointsToIsThere() throws Exception {
    Matcher link = Pattern.compile("\\]\\(([^)#:]+)\\)").matcher(Files.readString(Path.of("../../README.md")));
    while (link.find()) assertTrue(Files.exists(Path.of("../..", link.group(1))), link.group(1));
  }

  private String run(String name, String... arguments) throws Exception {
    Matcher example = Pattern.compile("```java\n((?:(?!```).)*public class " + name + " .*?)```", Pattern.DOTALL)
        .matcher(Files.readString(Path.of("../../README.md")));
    assertTrue(example.find(), "the README has an example " + name);
    Path source = Files.writeString(folder.resolve(name + ".java"), example.group(1));
    String classPath = System.getProperty("java.class.path");
    assertEquals(0, ToolProvider.getSystemJavaCompiler().run(null, null, null,
        "-Xlint:all,-path", "-cp", classPath, "-d", folder.toString(), source.toString()));
    return ChildJvm.run(Map.of(), classPath + ":" + folder, name, arguments);
  }
}
