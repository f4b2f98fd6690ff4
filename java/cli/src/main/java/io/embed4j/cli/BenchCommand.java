package io.embed4j.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.DenseEmbedding;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.Task;
import io.embed4j.cli.base.Json;
import java.io.PrintWriter;
import java.lang.foreign.ValueLayout;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
    name = "bench",
    description = "Measure one text of each length: median time, tokens/s, GFLOP/s and GB/s achieved, a hash of the output.",
    footer = {"GFLOP/s counts the multiplications and additions of the decoder's matrices and of causal attention.",
        "GB/s counts the decoder's weights once per run, as stored; it says how near a short text comes to memory speed."})
final class BenchCommand implements Runnable {
  private static final String WORDS = "The quick brown fox, 敏捷的棕色狐狸, der flinke braune Fuchs; x[i] += 42. ";

  @Mixin
  private ModelArgument model;

  @Option(names = "--tokens", split = ",", paramLabel = "N", defaultValue = "16,128,512,2048",
      description = "Lengths, prompt included; default: ${DEFAULT-VALUE}.")
  private List<Integer> lengths;

  @Option(names = "--task", paramLabel = "TASK", converter = Labels.OfTask.class,
      description = "The task; default: the first that the model serves.")
  private Task task;

  @Option(names = "--runs", paramLabel = "N", defaultValue = "5",
      description = "Runs per length, after one that is not counted; default: ${DEFAULT-VALUE}.")
  private int runs;

  @Option(names = "--json", description = "As JSON.")
  private boolean json;

  @Spec
  private CommandSpec spec;

  /** What was measured at one length. */
  private record Measurement(int tokens, double seconds, double gflops, double gigabytes, String sha256) {}

  @Override
  public void run() {
    for (int length : lengths) {
      if (length < 1 || length > EmbeddingModel.MAX_TOKENS) {
        throw new ParameterException(spec.commandLine(),
            "--tokens is " + length + ", expected 1 .. " + EmbeddingModel.MAX_TOKENS);
      }
    }
    if (runs < 1) throw new ParameterException(spec.commandLine(), "--runs is " + runs + ", expected at least 1");
    PrintWriter out = spec.commandLine().getOut();
    try (EmbeddingModel open = model.open()) {
      if (task == null) task = open.info().tasks().isEmpty() ? Task.RETRIEVAL : open.info().tasks().getFirst();
      if (!json) {
        out.printf("%s, task %s, %s, median of %d runs%n", open.info().path(), task, open.runtime().device(), runs);
        out.printf("%8s %12s %12s %10s %10s  %s%n", "tokens", "ms", "tokens/s", "GFLOP/s", "GB/s", "sha256 of the vector");
      }
      List<Measurement> measured = new ArrayList<>();
      for (int length : lengths) {
        Measurement m = measure(open, length);
        measured.add(m);
        if (json) continue;
        out.printf(Locale.ROOT, "%8d %12.2f %12.1f %10.1f %10.2f  %s%n", m.tokens, 1e3 * m.seconds, m.tokens / m.seconds,
            m.gflops, m.gigabytes, m.sha256.substring(0, 16));
        out.flush();
      }
      if (json) out.println(Json.pretty(json(open, measured)));
      out.flush();
    }
  }

  private Measurement measure(EmbeddingModel open, int tokens) {
    EmbeddingRequest request =
        EmbeddingRequest.text(WORDS.repeat(1 + tokens / 8)).task(task).maxTokens(tokens).truncate(true);
    DenseEmbedding embedding = open.embed(request).dense();
    if (embedding.tokens() != tokens) throw new AssertionError(embedding.tokens() + " tokens instead of " + tokens);
    double[] seconds = new double[runs];
    for (int i = 0; i < runs; i++) {
      long start = System.nanoTime();
      open.embed(request);
      seconds[i] = (System.nanoTime() - start) / 1e9;
    }
    Arrays.sort(seconds);
    double median = seconds[runs / 2];
    double flops = (double) tokens * DecoderCost.flopsPerToken(open.info(), tokens);
    return new Measurement(tokens, median, flops / median / 1e9, open.info().layerBytes() / median / 1e9, sha256(embedding));
  }

  private static String sha256(DenseEmbedding embedding) {
    try {
      byte[] bytes = embedding.segment().toArray(ValueLayout.JAVA_BYTE);
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  private ObjectNode json(EmbeddingModel open, List<Measurement> measured) {
    ObjectNode json = Json.MAPPER.createObjectNode().put("model", open.info().path().toString()).put("task", task.label())
        .put("device", open.runtime().device()).put("cpu_tier", open.runtime().cpuTier()).put("threads", open.runtime().threads()).put("runs", runs);
    ArrayNode results = json.putArray("results");
    for (Measurement m : measured) {
      results.addObject().put("tokens", m.tokens).put("ms", 1e3 * m.seconds).put("tokens_per_s", m.tokens / m.seconds)
          .put("gflop_per_s", m.gflops).put("gb_per_s", m.gigabytes).put("sha256", m.sha256);
    }
    return json;
  }
}
