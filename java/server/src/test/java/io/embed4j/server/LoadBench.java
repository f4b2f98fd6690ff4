package io.embed4j.server;

import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ModelOptions;
import io.embed4j.Outcome;
import io.embed4j.Task;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Server against engine on one machine, interleaved: texts per second at saturation, and median latency of one request
 * at a time. Not a test: {@code LoadBench MODEL [tokens of a text] [texts of a request] [connections] [float|base64]
 * [seconds of a round] [rounds]}. Settings of the server come from the environment.
 *
 * <p>The requests come from {@link LoadClient}, which compares every answer with the first of its text; that one is
 * compared here with the engine's own vectors. Engine and client share the processors, so the ratio is given twice: as
 * measured, and with the engine's rate cut to the processors that the client left, as if it ran on another machine.
 */
final class LoadBench {
  private static final int KINDS = 8;
  private static final long WARM_UP_MILLIS = 20_000;
  private static final int PROCESSORS = Runtime.getRuntime().availableProcessors();

  private final EmbeddingModel model;
  private final int perRequest;
  private final List<List<EmbeddingRequest>> requests = new ArrayList<>(); // [kind][perRequest]
  private final List<Path> bodies = new ArrayList<>();
  private final Process client;
  private final Process warmUp;

  private LoadBench(EmbeddingModel model, int port, int tokens, int perRequest, String encoding)
      throws IOException {
    this.model = model;
    this.perRequest = perRequest;
    Path folder = Files.createTempDirectory("load");
    for (int kind = 0; kind < KINDS; kind++) {
      List<String> texts = new ArrayList<>();
      for (int i = 0; i < perRequest; i++) texts.add(text(tokens, kind * perRequest + i));
      requests.add(texts.stream().map(text -> EmbeddingRequest.text(text).task(Task.TEXT_MATCHING)).toList());
      Path file = folder.resolve("request" + kind);
      Files.writeString(file, "{\"model\":\"jina-embeddings-v4\",\"encoding_format\":\"" + encoding + "\",\"input\":[\""
          + String.join("\",\"", texts) + "\"]}");
      bodies.add(file);
    }
    Path brief = folder.resolve("brief");
    Files.writeString(brief, "{\"model\":\"jina-embeddings-v4\",\"encoding_format\":\"" + encoding
        + "\",\"input\":\"a\"}");
    warmUp = client(port, List.of(brief));
    client = client(port, bodies);
  }

  private static Process client(int port, List<Path> bodies) throws IOException {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    List<String> command = Stream.concat(Stream.of(java, "-Xmx512m", "-XX:+UseSerialGC", "-cp",
        System.getProperty("java.class.path"), LoadClient.class.getName(), Integer.toString(port)),
        bodies.stream().map(Path::toString)).toList();
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  /** Of so many tokens, prompt included, its second word the number. */
  private String text(int tokens, int number) {
    String text = "a " + number + " b".repeat(tokens);
    while (model.prepare(EmbeddingRequest.text(text).task(Task.TEXT_MATCHING)).tokens() > tokens) {
      text = text.substring(0, text.length() - 2);
    }
    return text;
  }

  /**
   * What a round gave.
   *
   * @param millis median of a call or response
   * @param client part of the machine's processors that the load generator took
   * @param process part that this process took
   */
  private record Rate(double textsPerSecond, double millis, double client, double process) {}

  /** Calls of so many texts from one thread. */
  private Rate engine(int texts, long nanos) {
    List<EmbeddingRequest> all = requests.stream().flatMap(List::stream).toList();
    List<EmbeddingRequest> batch = IntStream.range(0, texts).mapToObj(i -> all.get(i % all.size())).toList();
    List<Long> times = new ArrayList<>();
    int done = 0;
    long processor = processorNanos();
    long start = System.nanoTime();
    while (System.nanoTime() - start < nanos) {
      long call = System.nanoTime();
      if (texts == 1) model.embed(batch.getFirst());
      else for (Outcome outcome : model.embedAll(batch)) outcome.orThrow();
      times.add(System.nanoTime() - call);
      done += texts;
    }
    double elapsed = System.nanoTime() - start;
    Collections.sort(times);
    return new Rate(done * 1e9 / elapsed, times.get(times.size() / 2) / 1e6, 0,
        (processorNanos() - processor) / elapsed / PROCESSORS);
  }

  private Rate server(int connections, long nanos) throws IOException {
    long processor = processorNanos();
    long start = System.nanoTime();
    double[] words = load(client, connections, nanos / 1_000_000);
    double elapsed = System.nanoTime() - start;
    return new Rate(words[0] * perRequest * 1e9 / words[1], words[2] / 1e6, words[3] / PROCESSORS,
        (processorNanos() - processor) / elapsed / PROCESSORS);
  }

  private static double[] load(Process client, int connections, long millis) throws IOException {
    client.outputWriter().write(connections + " " + millis + "\n");
    client.outputWriter().flush();
    String line = client.inputReader().readLine();
    if (line == null) throw new IOException("the load generator has ended");
    return Arrays.stream(line.split(" ")).mapToDouble(Double::parseDouble).toArray();
  }

  private static long processorNanos() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
        .getProcessCpuTime();
  }

  /** Of every kind of request: the vectors of the first answer. */
  private void check(String encoding) throws IOException {
    for (int kind = 0; kind < KINDS; kind++) {
      JsonNode answer = RunningServer.JSON.readTree(Files.readAllBytes(Path.of(bodies.get(kind) + ".response")));
      for (int i = 0; i < perRequest; i++) {
        JsonNode vector = answer.at("/data/" + i + "/embedding");
        float[] found = encoding.equals("base64") ? RunningServer.decode(vector)
            : new RunningServer.Answer(200, answer, null).vector(i);
        if (!Arrays.equals(model.embed(requests.get(kind).get(i)).dense().toArray(), found)) {
          throw new AssertionError("another vector in request " + kind + ", text " + i);
        }
      }
    }
  }

  private static String medianAndAll(String format, DoubleStream values) {
    double[] all = values.toArray();
    double[] sorted = all.clone();
    Arrays.sort(sorted);
    return format.formatted(sorted[sorted.length / 2]) + " of " + Arrays.stream(all).mapToObj(format::formatted)
        .toList();
  }

  public static void main(String[] arguments) throws Exception {
    int tokens = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 128;
    int perRequest = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 1;
    int connections = arguments.length > 3 ? Integer.parseInt(arguments[3]) : 64;
    String encoding = arguments.length > 4 ? arguments[4] : "base64";
    long nanos = (long) (1e9 * (arguments.length > 5 ? Double.parseDouble(arguments[5]) : 3));
    int rounds = arguments.length > 6 ? Integer.parseInt(arguments[6]) : 5;
    ServerConfig config = ServerConfig.of(Map.of(Setting.MODEL, arguments[0], Setting.PORT, "0"), System.getenv(),
        null);
    int batch = Math.max(1, config.count(Setting.MAX_BATCH_TOKENS) / tokens);
    try (EmbeddingModel model = EmbeddingModel.open(Path.of(arguments[0]), ModelOptions.defaults());
        EmbeddingServer server = EmbeddingServer.start(config)) {
      LoadBench bench = new LoadBench(model, server.port(), tokens, perRequest, encoding);
      // Until the compiler is done with what serves a request: tens of thousands of them.
      System.out.printf("warmed up with %.0f short requests%n", load(bench.warmUp, 8, WARM_UP_MILLIS)[0]);
      bench.warmUp.destroy();
      bench.server(Math.max(connections, KINDS), nanos);
      bench.check(encoding);
      bench.engine(batch, nanos / 2);
      List<Rate> engines = new ArrayList<>();
      List<Rate> servers = new ArrayList<>();
      List<Double> added = new ArrayList<>();
      for (int round = 0; round < rounds; round++) {
        engines.add(bench.engine(batch, nanos));
        servers.add(bench.server(connections, nanos));
        long brief = Math.min(nanos, 3_000_000_000L);
        if (perRequest == 1) added.add(bench.server(1, brief).millis - bench.engine(1, brief).millis);
      }
      bench.client.destroy();
      System.out.printf("%d tokens, %d texts a request, %d connections, %s%n", tokens, perRequest, connections,
          encoding);
      System.out.println("engine texts/s " + medianAndAll("%.1f", engines.stream().mapToDouble(Rate::textsPerSecond)));
      System.out.println("server texts/s " + medianAndAll("%.1f", servers.stream().mapToDouble(Rate::textsPerSecond)));
      System.out.println("processors used: engine alone "
          + medianAndAll("%.3f", engines.stream().mapToDouble(Rate::process))
          + ", server " + medianAndAll("%.3f", servers.stream().mapToDouble(Rate::process)) + ", client "
          + medianAndAll("%.3f", servers.stream().mapToDouble(Rate::client)));
      System.out.println("ratio as measured " + medianAndAll("%.3f", IntStream.range(0, rounds)
          .mapToDouble(i -> servers.get(i).textsPerSecond / engines.get(i).textsPerSecond)));
      System.out.println("ratio with the client's processors taken off "
          + medianAndAll("%.3f", IntStream.range(0, rounds)
          .mapToDouble(i ->
              servers.get(i).textsPerSecond / engines.get(i).textsPerSecond / (1 - servers.get(i).client))));
      if (perRequest == 1) {
        System.out.println("added median latency, ms "
            + medianAndAll("%.2f", added.stream().mapToDouble(Double::doubleValue)));
      }
    }
  }
}
