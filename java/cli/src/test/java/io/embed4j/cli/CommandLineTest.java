package io.embed4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.Prompt;
import io.embed4j.Task;
import io.embed4j.cli.base.Json;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Every command as a user runs it: what it prints, where, and its exit code. */
class CommandLineTest {
  @TempDir
  static Path folder;
  private static Path model;

  record Result(int code, String out, String err) {}

  @BeforeAll
  static void makeModel() {
    model = folder.resolve("model");
    Result synth = run("synth", model.toString(), "--type", "bf16");
    assertEquals(0, synth.code, synth.err);
    assertTrue(synth.out.contains("text.gguf"), synth.out);
  }

  @Test
  void embedsLinesInInputOrderWithTheirOwnSettings() throws IOException {
    Path in = Files.writeString(folder.resolve("in.jsonl"), """
        {"id": "a\\ud800", "text": "hello"}
        {"id": [2], "text": "hello", "task": "code", "prompt": "passage"}
        {"id": 3, "text": "bad \\udc00"}
        {"id": 4, "text": "hello", "task": "poetry"}
        {"id": 5, "text":
        {"text": ""}
        """);
    List<JsonNode> lines = stream(1, "embed", "-m", model.toString(), "--input", in.toString(), "--dimensions", "128");
    assertEquals(6, lines.size());
    assertEquals("a\ud800", lines.get(0).get("id").textValue());
    assertEquals("[2]", lines.get(1).get("id").toString());
    assertEquals("invalid_argument", lines.get(2).at("/error/code").textValue());
    assertTrue(lines.get(3).at("/error/message").textValue().contains("poetry"));
    assertEquals("malformed_line", lines.get(4).at("/error/code").textValue());
    assertTrue(lines.get(4).get("id").isNull() && lines.get(5).get("id").isNull());
    try (EmbeddingModel open = EmbeddingModel.open(model)) {
      EmbeddingRequest hello = EmbeddingRequest.text("hello").dimensions(128);
      assertVector(open.embed(hello).dense().toArray(), lines.get(0).get("embedding"));
      assertVector(open.embed(hello.task(Task.CODE).prompt(Prompt.PASSAGE)).dense().toArray(), lines.get(1).get("embedding"));
    }
  }

  @Test
  void embedsTokensAsRows() throws IOException {
    Path out = folder.resolve("rows.jsonl");
    assertEquals(0, run("embed", "-m", model.toString(), "--multi-vector", "--output", out.toString(), "one two").code);
    JsonNode rows = lines(out).getFirst().get("embeddings");
    assertEquals(128, rows.get(0).size());
    try (EmbeddingModel open = EmbeddingModel.open(model)) {
      float[][] expected = open.embed(EmbeddingRequest.text("one two").multiVector(true)).multiVector().toArrays();
      assertEquals(expected.length, rows.size());
      for (int i = 0; i < expected.length; i++) assertVector(expected[i], rows.get(i));
    }
  }

  @Test
  void aPackedModelEmbedsTheSame() throws IOException {
    Path packed = folder.resolve("packed");
    assertEquals(0, run("synth", packed.toString(), "--type", "bf16", "--packed").code);
    assertTrue(run("info", packed.toString()).out.contains("bf16 packed"));
    assertFalse(run("info", model.toString()).out.contains("packed"));
    Path out = folder.resolve("as-rows.jsonl");
    Path outPacked = folder.resolve("packed.jsonl");
    assertEquals(0, run("embed", "-m", model.toString(), "--output", out.toString(), "one", "two").code);
    assertEquals(0, run("embed", "-m", packed.toString(), "--output", outPacked.toString(), "one", "two").code);
    assertEquals(Files.readString(out), Files.readString(outPacked));
  }

  @Test
  void badUsageAndUnusableModelsExitWith2AndSayWhy() throws IOException {
    String m = model.toString();
    Path in = Files.writeString(folder.resolve("same.jsonl"), "{\"text\":\"a\"}\n");
    assertUnusable("give a TEXT", "embed", "-m", m);
    assertUnusable("not both", "embed", "-m", m, "--input", in.toString(), "text");
    assertUnusable("--output is the file", "embed", "-m", m, "--input", in.toString(), "--output", in.toString());
    assertUnusable("[128, 256]", "embed", "-m", m, "--dimensions", "100", "text");
    assertUnusable("retrieval, text-matching, code", "embed", "-m", m, "--task", "poetry", "text");
    assertUnusable("query, passage", "embed", "-m", m, "--prompt", "poem", "text");
    assertUnusable("maxTokens", "embed", "-m", m, "--max-tokens", "40000", "text");
    assertUnusable("device is gpu, expected cpu, cuda", "embed", "-m", m, "--device", "gpu", "text");
    assertUnusable("precision is fp4, expected model or fp8", "embed", "-m", m, "--precision", "fp4", "text");
    assertUnusable("compute capability 8.9 or newer, but the device is the CPU", "embed", "-m", m, "--precision", "fp8", "text");
    assertUnusable("threads", "embed", "-m", m, "--threads", "-1", "text");
    assertUnusable("does not exist", "embed", "-m", "absent", "text");
    assertUnusable("does not exist", "embed", "-m", m, "--input", "absent.jsonl");
    assertUnusable("cannot write", "embed", "-m", m, "--output", folder.resolve("absent/out.jsonl").toString(), "text");
    assertUnusable("text.gguf does not exist", "info", folder.toString());
    assertUnusable("poems", "convert", "absent", "out", "--type", "poems");
    assertUnusable("absent", "convert", "absent", folder.resolve("x").toString());
    assertUnusable("huge", "synth", folder.resolve("x").toString(), "--config", "huge");
    assertUnusable("--packed needs --type", "synth", folder.resolve("x").toString(), "--packed");
    assertUnusable("--tokens", "bench", "-m", m, "--tokens", "0");
    assertUnusable("no command", new String[0]);
    assertUnusable("--colour", "embed", "-m", m, "--colour", "red", "text");
  }

  @Test
  void aGpuThatIsMissingIsAnErrorOrWithAutoTheCpu() throws IOException {
    assumeFalse(Files.exists(Path.of("/dev/nvidiactl")), "this machine has a GPU");
    Path onAuto = folder.resolve("auto.jsonl");
    Path onCpu = folder.resolve("cpu.jsonl");
    Result cuda = run("embed", "-m", model.toString(), "--device", "cuda:0", "--output", onAuto.toString(), "text");
    assertEquals(2, cuda.code, cuda.err);
    assertTrue(cuda.err.contains("no NVIDIA driver is installed") || cuda.err.contains("Looked for:"), cuda.err);
    Result all = run("embed", "-m", model.toString(), "--device", "cuda:all", "--precision", "fp8", "text");
    assertEquals(2, all.code, all.err);
    Result auto = run("embed", "-m", model.toString(), "--device", "auto", "--output", onAuto.toString(), "text");
    assertEquals(0, auto.code, auto.err);
    assertEquals(0, run("embed", "-m", model.toString(), "--output", onCpu.toString(), "text").code);
    assertEquals(Files.readString(onCpu), Files.readString(onAuto));
  }

  @Test
  void everyCommandExplainsItself() {
    for (String command : Main.commandLine().getSubcommands().keySet()) {
      Result result = run(command, "--help");
      assertEquals(0, result.code, command);
      assertTrue(result.out.startsWith("Usage: embed4j " + command), result.out);
    }
    assertTrue(run("--version").out.startsWith("embed4j "));
  }

  @Test
  void infoAndBenchSpeakJsonToo() throws IOException {
    JsonNode info = Json.MAPPER.readTree(run("info", model.toString(), "--json").out);
    assertEquals(256, info.get("hidden_size").intValue());
    assertEquals("[\"retrieval\",\"text-matching\",\"code\"]", info.get("tasks").toString());
    assertTrue(run("info", model.toString()).out.contains("retrieval, text-matching, code"));
    JsonNode bench = Json.MAPPER.readTree(
        run("bench", "-m", model.toString(), "--tokens", "3,17", "--runs", "1", "--json").out);
    assertEquals(17, bench.at("/results/1/tokens").intValue());
    assertEquals(64, bench.at("/results/0/sha256").textValue().length());
    assertTrue(bench.at("/results/0/gflop_per_s").doubleValue() > 0);
  }

  @Test
  void convertsACheckpointAndRefusesToOverwriteIt() {
    Path checkpoint = folder.resolve("checkpoint");
    String out = folder.resolve("converted").toString();
    assertEquals(0, run("synth", checkpoint.toString(), "--style", "nested", "--salt", "s").code);
    assertEquals(0, run("convert", checkpoint.toString(), out, "--type", "q8_0").code);
    assertUnusable(out, "convert", checkpoint.toString(), out);
    assertEquals(0, run("convert", checkpoint.toString(), out, "--force").code);
  }

  /** In processes of their own: standard output, pipes and the whole way through main. */
  @Test
  void aReaderThatGoesAwayEndsTheCommandQuietly() throws Exception {
    Process process = start("tokenize", "-m", model.toString(), "--input", "-");
    try (OutputStream in = process.getOutputStream()) {
      in.write("{\"id\": 1, \"text\": \"a<|im_end|>\"}\n".getBytes(StandardCharsets.UTF_8));
      in.flush();
      byte[] first = new byte[64];
      int n = process.getInputStream().read(first);
      assertTrue(new String(first, 0, n, StandardCharsets.UTF_8).startsWith("{\"id\":1,\"ids\":["), "answered while in is open");
      process.getInputStream().close();
      for (int i = 0; i < 200 && process.isAlive(); i++) {
        in.write("{\"text\": \"b\"}\n".getBytes(StandardCharsets.UTF_8));
        in.flush();
        Thread.sleep(20);
      }
    } catch (IOException closed) {
      assertTrue(closed.getMessage().contains("pipe") || closed.getMessage().contains("closed"), closed.getMessage());
    }
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    assertEquals("", new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8));
    assertEquals(0, process.exitValue());
  }

  @Test
  void aFullDiskIsAnError() throws Exception {
    if (!Files.exists(Path.of("/dev/full"))) return;
    assertUnusable("cannot write /dev/full", "embed", "-m", model.toString(), "--output", "/dev/full", "text");
  }

  static Process start(String... arguments) throws IOException {
    return new ProcessBuilder(command(arguments)).start();
  }

  static List<String> command(String... arguments) {
    List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"), Main.class.getName()));
    command.addAll(List.of(arguments));
    return command;
  }

  static Result run(String... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine commandLine = Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
    int code = commandLine.execute(arguments);
    return new Result(code, out.toString(), err.toString());
  }

  /** What a command writes to a pipe. */
  static List<JsonNode> stream(int code, String... arguments) throws IOException {
    Path pipe = Files.createTempDirectory("pipe").resolve("out");
    String[] all = Arrays.copyOf(arguments, arguments.length + 2);
    all[arguments.length] = "--output";
    all[arguments.length + 1] = pipe.toString();
    try {
      assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
      CompletableFuture<List<JsonNode>> lines = CompletableFuture.supplyAsync(() -> lines(pipe));
      Result result = run(all);
      assertEquals(code, result.code, result.err);
      assertEquals("", result.err, "errors of items are in the output");
      return lines.get(60, TimeUnit.SECONDS);
    } catch (InterruptedException | ExecutionException | TimeoutException e) {
      throw new AssertionError(e);
    }
  }

  static void assertUnusable(String reason, String... arguments) {
    Result result = run(arguments);
    assertEquals(2, result.code, result.err);
    assertTrue(result.err.contains(reason), result.err);
    assertEquals("", result.out);
  }

  static List<JsonNode> lines(Path file) {
    try {
      List<JsonNode> lines = new ArrayList<>();
      for (String line : Files.readAllLines(file)) lines.add(Json.MAPPER.readTree(line));
      return lines;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static void assertVector(float[] expected, JsonNode vector) {
    assertEquals(expected.length, vector.size());
    for (int i = 0; i < expected.length; i++) assertEquals(expected[i], vector.get(i).floatValue(), "entry " + i);
  }
}
