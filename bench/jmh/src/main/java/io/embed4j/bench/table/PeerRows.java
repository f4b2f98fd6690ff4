package io.embed4j.bench.table;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.bench.table.Bench.OpenModel;
import io.embed4j.bench.table.Row.Bound;
import io.embed4j.bench.table.Row.Outcome;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Other programs on the same text.gguf, in turns with the own model, whose adapters stay on. */
final class PeerRows {
  private static final double TURN = 4; // seconds of the own model in one of several turns
  private static final double LONG = 10; // seconds of a text that is measured in fewer turns

  private static final int LONGEST_WARMED = 1024; // tokens; longer texts are long enough to be measured at once

  private PeerRows() {}

  /** Something that measures a length. */
  private interface Timing extends AutoCloseable {
    /** Seconds of one text of so many tokens, measured `runs` times. */
    List<Double> seconds(int tokens, int runs);

    @Override
    default void close() {}
  }

  /** Starts a peer on a GGUF. */
  private interface Start {
    Timing on(Bench bench, Path gguf, OpenModel own);
  }

  static List<Row> of(List<String> types, List<Integer> lengths) {
    List<Row> rows = new ArrayList<>();
    for (String type : types) {
      for (int length : lengths) {
        rows.add(row("ik_llama.cpp", type, length, (bench, gguf, own) -> llamaBench(bench, gguf, List.of())));
        rows.add(row("ik_llama.cpp-rtr", type, length, (bench, gguf, own) -> llamaBench(bench, gguf, List.of("-rtr", "1"))));
        rows.add(row("node-llama-cpp", type, length, PeerRows::nodeLlama));
        rows.add(row("java-llama.cpp", type, length, PeerRows::javaLlama));
      }
      rows.add(new Row("same-node-llama-cpp-" + type, TextRows.name(type)
          + ", no adapter: cosine of a text's last hidden state with node-llama-cpp's", "",
          type.equals("q4_k_m") ? Bound.least(0.95, 0.99) : Bound.least(0.995, 0.9999), bench -> same(bench, type)));
    }
    return rows;
  }

  private static Row row(String peer, String type, int length, Start start) {
    return new Row("peer-" + peer + "-" + type + "-" + length, TextRows.name(type) + ", " + length + " tokens: own throughput / "
        + peer + "'s", "", Bound.least(1, 1.4), bench -> against(bench, peer, type, length, start));
  }

  private static Outcome against(Bench bench, String name, String type, int tokens, Start start) {
    OpenModel own = bench.model(type);
    ObjectNode details = Child.JSON.createObjectNode();
    Samples ours = new Samples();
    Samples theirs = new Samples();
    own.text(16);
    double first = own.text(tokens).get("seconds").asDouble();
    try (Timing peer = start.on(bench, bench.directory(type).resolve("text.gguf"), own)) {
      int turns = first > LONG ? 1 : 3;
      int runs = (int) Math.clamp(TURN / first, 1, bench.settings.runs());
      if (turns == 1) ours.add(first);
      for (int turn = 0; turn < turns; turn++) {
        peer.seconds(tokens, runs).forEach(theirs::add);
        for (int i = 0; i < runs; i++) ours.add(own.text(tokens).get("seconds").asDouble());
      }
    } catch (Child.Ended e) {
      return new Outcome(Double.NaN, "aborted: " + e.getMessage().replace('\n', ' '), details);
    }
    details.put("type", type).put("peer", name).put("tokens", tokens).put("tokens_per_s", tokens / ours.median()).put("peer_tokens_per_s", tokens / theirs.median());
    ours.putInto(details, "seconds");
    theirs.putInto(details, "peer_seconds");
    return new Outcome(theirs.median() / ours.median(),
        "%.1f against %.1f tokens/s".formatted(tokens / ours.median(), tokens / theirs.median()), details);
  }

  /** ik_llama.cpp's own benchmark, which makes up its token ids and measures the prompt alone. */
  private static Timing llamaBench(Bench bench, Path gguf, List<String> options) {
    Path program = needed(bench.settings.peers().llamaBench(), "--ik");
    return (tokens, runs) -> {
      List<String> command = new ArrayList<>(List.of(program.toString(), "-m", gguf.toString(), "-p", Integer.toString(tokens), "-n", "0",
          "-t", Integer.toString(Runtime.getRuntime().availableProcessors()), "-r", Integer.toString(runs), "-o", "json"));
      if (tokens > LONGEST_WARMED) command.addAll(List.of("-w", "0"));
      command.addAll(options);
      try {
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        byte[] output = process.getInputStream().readAllBytes();
        int code = process.waitFor();
        if (code != 0) throw new Child.Ended(program.getFileName() + " ended with exit code " + code);
        List<Double> seconds = new ArrayList<>();
        for (JsonNode nanos : Child.JSON.readTree(output).get(0).get("samples_ns")) seconds.add(nanos.asDouble() / 1e9);
        return seconds;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      }
    };
  }

  private static Timing nodeLlama(Bench bench, Path gguf, OpenModel own) {
    Child child = nodeLlama(bench, gguf);
    return new Timing() {
      @Override
      public List<Double> seconds(int tokens, int runs) {
        String ids = ids(own, tokens);
        List<Double> seconds = new ArrayList<>();
        for (int i = 0; i < runs; i++) seconds.add(child.ask(ids).get("seconds").asDouble());
        return seconds;
      }

      @Override
      public void close() {
        child.close();
      }
    };
  }

  private static Child nodeLlama(Bench bench, Path gguf) {
    Path modules = needed(bench.settings.peers().nodeModules(), "--node");
    Child child = new Child("node-llama-cpp", List.of("node", bench.settings.home().resolve("bench/peers/node-llama-cpp.mjs").toString(),
        modules.toString(), gguf.toString(), Integer.toString(Runtime.getRuntime().availableProcessors())), Map.of());
    child.answer("open " + gguf);
    return child;
  }

  private static Timing javaLlama(Bench bench, Path gguf, OpenModel own) {
    Child child = JavaPeers.javaLlama(bench.settings, gguf);
    try {
      child.answer("open " + gguf);
    } catch (RuntimeException e) {
      child.close();
      throw e;
    }
    return new Timing() {
      @Override
      public List<Double> seconds(int tokens, int runs) {
        List<Double> seconds = new ArrayList<>();
        for (int i = 0; i < runs; i++) seconds.add(child.ask("text " + tokens).get("seconds").asDouble());
        return seconds;
      }

      @Override
      public void close() {
        child.close();
      }
    };
  }

  private static Outcome same(Bench bench, String type) {
    Path gguf = bench.directory(type).resolve("text.gguf");
    OpenModel own = bench.model(gguf, Map.of(), List.of(), "-");
    JsonNode last = own.child().ask("last");
    bench.closeModel();
    try (Child child = nodeLlama(bench, gguf)) {
      JsonNode vector = child.ask(joined(last.get("ids"))).get("vector");
      return new Outcome(TextRows.cosine(last.get("vector"), vector), last.get("ids").size() + " tokens", Child.JSON.createObjectNode());
    }
  }

  private static String ids(OpenModel own, int tokens) {
    return joined(own.child().ask("ids " + tokens).get("ids"));
  }

  private static String joined(JsonNode ids) {
    List<String> parts = new ArrayList<>();
    ids.forEach(id -> parts.add(id.asText()));
    return String.join(",", parts);
  }

  private static Path needed(Path path, String option) {
    if (path == null) throw new IllegalStateException("this row needs " + option);
    return path;
  }
}
