package io.embed4j.cli;

import static io.embed4j.cli.CommandLineTest.lines;
import static io.embed4j.cli.CommandLineTest.run;
import static io.embed4j.cli.CommandLineTest.start;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Jobs over corpora: killed, stopped and resumed, every item is in the output exactly once. */
class JobTest {
  private static final int LINES = 4000;

  @TempDir
  static Path folder;
  private static Path model;
  private static Path corpus;

  @BeforeAll
  static void makeModelAndCorpus() throws IOException {
    model = folder.resolve("model");
    assertEquals(0, run("synth", model.toString(), "--type", "bf16").code());
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < LINES; i++) {
      text.append(i % 20 == 7 ? "{\"id\":" + i + ",\"text\":\n"
          : "{\"id\":" + i + ",\"text\":\"" + "word ".repeat(i % 31) + i + "\",\"title\":\"t" + i + "\"}\n");
    }
    corpus = Files.writeString(folder.resolve("corpus.jsonl"), text);
  }

  @Test
  void killedAtAnyMomentAndResumedTheOutputIsThatOfOneRun() throws Exception {
    Path whole = embed("whole.jsonl", 1);
    Random random = new Random(1);
    Path out = folder.resolve("killed.jsonl");
    int kills = 0;
    for (boolean done = false; !done;) {
      Process process = start(arguments(out, "--resume", "--sync", "0.02", "--threads", "1"));
      Path progress = folder.resolve("killed.jsonl.progress");
      long before = Files.exists(progress) ? Files.size(progress) : 0;
      while (kills < 4 && process.isAlive() && (!Files.exists(progress) || Files.size(progress) == before)) Thread.sleep(1);
      done = process.waitFor(kills < 4 ? random.nextInt(300) : 60_000, TimeUnit.MILLISECONDS);
      if (!done) {
        kills++;
        process.destroyForcibly().waitFor();
        assertFalse(Files.exists(out), "an output has its name when it is complete");
      } else {
        assertEquals(1, process.exitValue(), new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8));
      }
    }
    assertTrue(kills > 1, kills + " kills");
    assertSameFiles("whole.jsonl", "killed.jsonl");
    List<JsonNode> lines = lines(whole);
    assertEquals(LINES * 19 / 20, lines.size());
    List<JsonNode> errors = lines(folder.resolve("whole.jsonl.errors.jsonl"));
    assertEquals(LINES / 20, errors.size());
    for (int i = 0; i < errors.size(); i++) {
      assertEquals(20 * i + 8, errors.get(i).at("/position/line").intValue());
      assertEquals("malformed_line", errors.get(i).get("code").textValue());
    }
  }

  static Path embed(String name, int code, String... options) {
    Path out = folder.resolve(name);
    CommandLineTest.Result result = run(arguments(out, options));
    assertEquals(code, result.code(), result.err());
    return out;
  }

  static String[] arguments(Path out, String... options) {
    List<String> all = new ArrayList<>(List.of("embed", "-m", model.toString(), "--input", corpus.toString(), "--output",
        out.toString(), "--dimensions", "128"));
    all.addAll(Arrays.asList(options));
    return all.toArray(String[]::new);
  }

  /** All files whose names begin with the one, against those that begin with the other. */
  private static void assertSameFiles(String expected, String actual) throws IOException {
    assertEquals(names(expected), names(actual));
    for (String rest : names(expected)) {
      assertArrayEquals(Files.readAllBytes(folder.resolve(expected + rest)), Files.readAllBytes(folder.resolve(actual + rest)),
          actual + rest);
    }
  }

  private static List<String> names(String prefix) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).filter(name -> name.startsWith(prefix))
          .map(name -> name.substring(prefix.length())).sorted().toList();
    }
  }
}
