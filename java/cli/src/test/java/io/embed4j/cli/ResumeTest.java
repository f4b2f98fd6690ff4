package io.embed4j.cli;

import static io.embed4j.cli.CommandLineTest.lines;
import static io.embed4j.cli.CommandLineTest.run;
import static io.embed4j.cli.CommandLineTest.start;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Jobs that were killed, stopped or ran out of disk, and resumed: their files are those of a run that was not. */
class ResumeTest {
  private static final int LINES = 1500;
  /** More by hand: -Dkills=50. */
  private static final int KILLS = Integer.getInteger("kills", 3);

  @TempDir
  static Path folder;
  private static Path model;

  @BeforeAll
  static void makeModelAndCorpora() throws IOException {
    model = folder.resolve("model");
    assertEquals(0, run("synth", model.toString(), "--type", "bf16").code());
    StringBuilder json = new StringBuilder();
    StringBuilder csv = new StringBuilder("title,text,id\n");
    for (int i = 0; i < LINES; i++) {
      String text = "word ".repeat(i % 31) + i;
      json.append(bad(i) ? "{\"id\":" + i + ",\"text\":\n"
          : "{\"id\":" + i + ",\"text\":\"" + text + "\",\"title\":\"t" + i + "\"}\n");
      csv.append(bad(i) ? "t," + text + "\n" : "\"t\n" + i + "\"," + text + "," + i + "\n");
    }
    Files.writeString(folder.resolve("corpus.jsonl"), json);
    Files.writeString(folder.resolve("corpus.csv"), csv);
    embed("corpus.jsonl", "corpus.parquet", 1, "--carry", "title", "--dimensions", "128");
  }

  private static boolean bad(int line) {
    return line % 20 == 7;
  }

  /** The multi-vectors in Parquet are more than one row group. */
  @ParameterizedTest
  @CsvSource({
      "corpus.jsonl, a.jsonl, --dimensions=128 --carry=title",
      "corpus.csv, b.npy, --multi-vector --embedding-type=int8",
      "corpus.jsonl, c.parquet, --multi-vector --parquet-row-group=2",
      "corpus.parquet, d.parquet, --text-column=title --embedding-type=binary"})
  void killedAtAnyMomentItEndsAsInOneRun(String corpus, String name, String options) throws Exception {
    int code = corpus.endsWith(".parquet") ? 0 : 1;
    String[] settings = options.split(" ");
    embed(corpus, "whole-" + name, code, settings);
    Random random = new Random(name.hashCode());
    Path progress = folder.resolve("killed-" + name + ".progress");
    for (int kills = 0; kills < KILLS; kills++) {
      Process process = start(arguments(corpus, "killed-" + name, settings, "--resume", "--sync", "0.02"));
      long before = Files.exists(progress) ? Files.size(progress) : 0;
      int points = random.nextInt(3); // in what is done at the beginning, or when so many were reached
      for (long last = before; points > 0 && process.isAlive(); Thread.sleep(1)) {
        long now = Files.exists(progress) ? Files.size(progress) : last;
        if (now != last) points--;
        last = now;
      }
      process.waitFor(random.nextInt(100), TimeUnit.MILLISECONDS);
      process.destroyForcibly().waitFor();
      if (Files.exists(folder.resolve("killed-" + name))) break; // complete, or it would not have its name: compared below
      // what a crash of the machine may leave behind the last point
      if (Files.exists(progress)) Files.writeString(progress, "00000000 {\"cur", StandardOpenOption.APPEND);
    }
    embed(corpus, "killed-" + name, code, settings, "--resume");
    assertSameFiles("whole-" + name, "killed-" + name);
    assertTrue(embed(corpus, "killed-" + name, code, settings, "--resume").err().contains("is complete"));
  }

  @Test
  void everyItemIsInOneOfTheFiles() {
    embed("corpus.csv", "each.jsonl", 1);
    List<JsonNode> lines = lines(folder.resolve("each.jsonl"));
    List<JsonNode> errors = lines(folder.resolve("each.jsonl.errors.jsonl"));
    assertEquals(LINES, lines.size() + errors.size());
    for (int i = 0, next = 0, nextError = 0, line = 2; i < LINES; i++) {
      if (bad(i)) {
        JsonNode error = errors.get(nextError++);
        assertEquals(line, error.at("/position/line").intValue(), error.toString());
        assertEquals("malformed_line", error.get("code").textValue());
      } else {
        assertEquals(Integer.toString(i), lines.get(next++).get("id").textValue());
      }
      line += bad(i) ? 1 : 2;
    }
  }

  @Test
  void ctrlCFinishesTheBatchAndSaysHowToGoOn() throws Exception {
    embed("corpus.jsonl", "whole.jsonl", 1);
    for (int signals : new int[] {1, 2}) {
      Process process = interrupted(signals);
      for (int i = 0; i < 9 && process.exitValue() == 1; i++) process = interrupted(signals); // the end came first
      assertEquals(130, process.exitValue());
      String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
      if (signals == 1) assertTrue(err.contains("--resume to go on") && err.contains("items/s"), err);
      embed("corpus.jsonl", "stopped.jsonl", 1, "--resume");
      assertSameFiles("whole.jsonl", "stopped.jsonl");
    }
  }

  /** A job, ended, that got so many signals on its way, or after its end when the machine was busy elsewhere. */
  private static Process interrupted(int signals) throws Exception {
    // Where the tests were started in the background, SIGINT is ignored, and a child would go on ignoring it.
    List<String> command = new ArrayList<>(List.of("env", "--default-signal=INT"));
    command.addAll(CommandLineTest.command(arguments("corpus.jsonl", "stopped.jsonl", new String[] {"--overwrite", "--sync",
        "0.02", "--threads", "1"})));
    Process process = new ProcessBuilder(command).start();
    Path progress = folder.resolve("stopped.jsonl.progress");
    while (process.isAlive() && !hasPoint(progress)) Thread.sleep(1);
    for (int i = 0; i < signals; i++) new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    return process;
  }

  /** Whether a journal has more than its first line. */
  private static boolean hasPoint(Path journal) throws Exception {
    try (Stream<String> lines = Files.lines(journal)) {
      return lines.count() > 1;
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  /** A file size limit of the shell stands in for the disk: the same error from the same call, without being root. */
  @ParameterizedTest
  @CsvSource({"jsonl, 2000", "parquet, 700", "npy, 700"})
  void aFullDiskIsAClearErrorAndResumed(String extension, int kibibytes) throws Exception {
    String whole = "roomy." + extension;
    String cut = "full." + extension;
    embed("corpus.jsonl", whole, 1);
    List<String> command = new ArrayList<>(List.of("bash", "-c", "ulimit -f " + kibibytes + "; exec \"$@\"", "bash"));
    command.addAll(CommandLineTest.command(arguments("corpus.jsonl", cut, new String[] {"--sync", "0.05"})));
    Process process = new ProcessBuilder(command).start();
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(2, process.waitFor(), err);
    assertTrue(err.contains("cannot write") && err.contains(cut) && err.contains("File too large"), err);
    assertTrue(err.contains("--resume"), err);
    embed("corpus.jsonl", cut, 1, "--resume");
    assertSameFiles(whole, cut);
  }

  static CommandLineTest.Result embed(String corpus, String name, int code, String[] settings, String... more) {
    CommandLineTest.Result result = run(arguments(corpus, name, settings, more));
    assertEquals(code, result.code(), result.err());
    return result;
  }

  static CommandLineTest.Result embed(String corpus, String name, int code, String... options) {
    return embed(corpus, name, code, options, new String[0]);
  }

  private static String[] arguments(String corpus, String name, String[] settings, String... more) {
    List<String> all = new ArrayList<>(List.of("embed", "-m", model.toString(), "--input", folder.resolve(corpus).toString(),
        "--output", folder.resolve(name).toString()));
    all.addAll(Arrays.asList(settings));
    all.addAll(Arrays.asList(more));
    return all.toArray(String[]::new);
  }

  /** All files whose names begin so, against those that begin with the other name; of x.npy those of x.*. */
  private static void assertSameFiles(String expected, String actual) throws IOException {
    String first = expected.replace(".npy", ".");
    String second = actual.replace(".npy", ".");
    assertEquals(names(first), names(second));
    for (String rest : names(first)) {
      assertArrayEquals(Files.readAllBytes(folder.resolve(first + rest)), Files.readAllBytes(folder.resolve(second + rest)),
          second + rest);
    }
  }

  private static List<String> names(String prefix) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).filter(name -> name.startsWith(prefix))
          .map(name -> name.substring(prefix.length())).sorted().toList();
    }
  }
}
