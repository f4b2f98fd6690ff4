package io.embed4j.server;

import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ModelOptions;
import io.embed4j.Outcome;
import io.embed4j.Task;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.ValueLayout;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;

/**
 * Server against engine on one machine, interleaved: texts per second at saturation, and median latency of one request at a
 * time. Not a test: {@code LoadBench MODEL [tokens of a text] [texts of a request] [connections] [float|base64]}. Every
 * answer of the first round is compared with the engine's own vector.
 */
final class LoadBench {
  private static final int ROUNDS = 5;
  private static final long ROUND_NANOS = 4_000_000_000L;

  private final EmbeddingModel model;
  private final int port;
  private final int perRequest;
  private final int connections;
  private final EmbeddingRequest request;
  private final byte[] body;
  private final String expected;

  private LoadBench(EmbeddingModel model, int port, int tokens, int perRequest, int connections, String encoding) {
    this.model = model;
    this.port = port;
    this.perRequest = perRequest;
    this.connections = connections;
    String text = "a b ".repeat(tokens); // cut below
    while (model.prepare(EmbeddingRequest.text(text).task(Task.TEXT_MATCHING)).tokens() > tokens) {
      text = text.substring(0, text.length() - 2);
    }
    this.request = EmbeddingRequest.text(text).task(Task.TEXT_MATCHING);
    String json = "{\"model\":\"jina-embeddings-v4\",\"encoding_format\":\"" + encoding + "\",\"input\":["
        + String.join(",", Collections.nCopies(perRequest, "\"" + text + "\"")) + "]}";
    this.body = ("POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: " + json.length()
        + "\r\n\r\n" + json).getBytes(StandardCharsets.UTF_8);
    byte[] vector = model.embed(request).dense().segment().toArray(ValueLayout.JAVA_BYTE);
    this.expected = encoding.equals("base64") ? Base64.getEncoder().encodeToString(vector) : null;
  }

  /** Texts per second, and the median time of a call in ms. */
  private record Rate(double textsPerSecond, double millis) {}

  private static Rate rate(int texts, long nanos, List<Long> times) {
    long[] sorted = times.stream().mapToLong(Long::longValue).sorted().toArray();
    return new Rate(texts * 1e9 / nanos, sorted[sorted.length / 2] / 1e6);
  }

  /** Calls of as many texts as fit a batch, from one thread. */
  private Rate engine(int texts) {
    List<EmbeddingRequest> requests = Collections.nCopies(texts, request);
    List<Long> times = new ArrayList<>();
    int done = 0;
    long start = System.nanoTime();
    while (System.nanoTime() - start < ROUND_NANOS) {
      long call = System.nanoTime();
      if (texts == 1) model.embed(request);
      else for (Outcome outcome : model.embedAll(requests)) outcome.orThrow();
      times.add(System.nanoTime() - call);
      done += texts;
    }
    return rate(done, System.nanoTime() - start, times);
  }

  private Rate server(int clients, boolean check) throws Exception {
    long start = System.nanoTime();
    List<Long> times = Collections.synchronizedList(new ArrayList<>());
    try (ExecutorService threads = Executors.newFixedThreadPool(clients)) {
      List<Future<?>> running = new ArrayList<>();
      for (int c = 0; c < clients; c++) {
        running.add(threads.submit(() -> {
          try (Socket socket = new Socket("127.0.0.1", port)) {
            socket.setTcpNoDelay(true);
            InputStream in = new BufferedInputStream(socket.getInputStream(), 1 << 16);
            while (System.nanoTime() - start < ROUND_NANOS) {
              long call = System.nanoTime();
              socket.getOutputStream().write(body);
              byte[] answer = read(in);
              times.add(System.nanoTime() - call);
              if (check && expected != null) check(answer);
            }
          }
          return null;
        }));
      }
      for (Future<?> one : running) one.get();
    }
    return rate(times.size() * perRequest, System.nanoTime() - start, times);
  }

  private void check(byte[] answer) {
    String text = new String(answer, StandardCharsets.UTF_8);
    if (text.split(Pattern.quote(expected), -1).length - 1 != perRequest) throw new AssertionError("another vector");
  }

  private static byte[] read(InputStream in) throws IOException {
    StringBuilder head = new StringBuilder();
    while (head.indexOf("\r\n\r\n") < 0) head.append((char) in.read());
    if (!head.toString().startsWith("HTTP/1.1 200")) throw new IOException(head.toString());
    int at = head.indexOf("content-length: ") + 16;
    return in.readNBytes(Integer.parseInt(head.substring(at, head.indexOf("\r", at))));
  }

  private static double median(List<Double> values) {
    double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    return sorted[sorted.length / 2];
  }

  public static void main(String[] arguments) throws Exception {
    int tokens = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 128;
    int perRequest = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 1;
    int connections = arguments.length > 3 ? Integer.parseInt(arguments[3]) : 64;
    String encoding = arguments.length > 4 ? arguments[4] : "base64";
    ServerConfig config = ServerConfig.of(Map.of(Setting.MODEL, arguments[0], Setting.PORT, "0"), Map.of(), null);
    try (EmbeddingModel model = EmbeddingModel.open(Path.of(arguments[0]), ModelOptions.defaults());
        EmbeddingServer server = EmbeddingServer.start(config)) {
      LoadBench bench = new LoadBench(model, server.port(), tokens, perRequest, connections, encoding);
      List<Double> ratios = new ArrayList<>();
      List<Double> added = new ArrayList<>();
      List<String> rates = new ArrayList<>();
      bench.server(connections, true);
      for (int round = 0; round < ROUNDS; round++) {
        Rate alone = bench.engine(Math.max(1, 2048 / tokens));
        Rate saturated = bench.server(connections, false);
        ratios.add(saturated.textsPerSecond / alone.textsPerSecond);
        rates.add("%.1f/%.1f".formatted(saturated.textsPerSecond, alone.textsPerSecond));
        added.add(bench.server(1, false).millis - bench.engine(perRequest).millis);
      }
      System.out.printf("%d tokens, %d texts a request, %d connections, %s%n", tokens, perRequest, connections, encoding);
      System.out.printf("texts/s server/engine %s: ratio %.3f%n", rates, median(ratios));
      System.out.printf("added median latency %s: %.2f ms%n", Arrays.toString(added.stream().map(a -> "%.2f".formatted(a)).toArray()), median(added));
    }
  }
}
