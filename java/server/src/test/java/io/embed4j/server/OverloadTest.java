package io.embed4j.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.Prompt;
import io.embed4j.Task;
import io.embed4j.server.RunningServer.Answer;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/**
 * More requests than the server can take, some of them hostile: every accepted one gets the engine's own vectors, the others
 * 429, memory stays flat and the server is well again at once. {@code -Dembed4j.soak.seconds=600} makes it longer.
 */
class OverloadTest {
  private static final int CLIENTS = 24;
  private static final int TEXTS = 60;

  private final List<String> texts = new ArrayList<>();
  private final List<float[]> expected = new ArrayList<>();
  private final List<Long> latencies = Collections.synchronizedList(new ArrayList<>());
  private final List<String> wrong = Collections.synchronizedList(new ArrayList<>());
  private final AtomicInteger accepted = new AtomicInteger();
  private final AtomicInteger refused = new AtomicInteger();
  private final AtomicInteger hostile = new AtomicInteger();

  @Test
  void answersStayRightAndMemoryFlat() throws Exception {
    long seconds = Long.getLong("embed4j.soak.seconds", 6);
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.path())) {
      for (int i = 0; i < TEXTS; i++) {
        texts.add("number " + i + " of the texts ".repeat(i % 10 == 9 ? 60 : i % 5));
        expected.add(model.embed(EmbeddingRequest.text(texts.getLast()).task(Task.RETRIEVAL).prompt(Prompt.PASSAGE)).dense().toArray());
      }
    }
    try (RunningServer server = RunningServer.with("max-queue-tokens=3000", "body-timeout=2", "request-timeout=20")) {
      load(server, Math.max(1, seconds / 4));
      long settled = residentBytes();
      load(server, seconds);
      long grown = residentBytes() - settled;
      assertEquals(List.of(), wrong);
      Collections.sort(latencies);
      long p99 = latencies.get((int) (latencies.size() * 0.99));
      System.out.printf("%d accepted, %d refused, %d hostile, p50 %d ms, p99 %d ms, grown %d MB%n", accepted.get(), refused.get(),
          hostile.get(), latencies.get(latencies.size() / 2) / 1_000_000, p99 / 1_000_000, grown >> 20);
      assertTrue(accepted.get() > 100 && refused.get() > 0 && hostile.get() > 10, accepted + ", " + refused + ", " + hostile);
      assertTrue(p99 < TimeUnit.SECONDS.toNanos(10), "p99 is " + p99 + " ns");
      assertTrue(grown < 200 << 20, "resident memory grew by " + (grown >> 20) + " MB");
      assertEquals(200, server.post("{'model': 'tiny', 'input': 'hello'}").status());
      for (int i = 0; i < 300 && !idle(server); i++) Thread.sleep(20);
      assertTrue(idle(server), "nothing is held when nobody asks");
    }
  }

  private static boolean idle(RunningServer server) {
    String metrics = new String(server.get("/metrics").response().body(), StandardCharsets.UTF_8);
    return metrics.contains("\nembed4j_memory_requests 0.0") && metrics.contains("\nembed4j_requests_running 0.0")
        && metrics.contains("\nembed4j_queue_tokens{model=\"tiny\"} 0.0");
  }

  private void load(RunningServer server, long seconds) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<?>> clients = new ArrayList<>();
      for (int c = 0; c < CLIENTS; c++) {
        Random random = new Random(c);
        clients.add(threads.submit(() -> {
          while (System.nanoTime() < end && wrong.size() < 10) {
            if (random.nextInt(20) == 0) attack(server, random);
            else ask(server, random);
          }
          return null;
        }));
      }
      for (Future<?> client : clients) client.get();
    }
  }

  private void ask(RunningServer server, Random random) {
    int[] chosen = random.ints(1 + random.nextInt(8), 0, TEXTS).toArray();
    boolean base64 = random.nextBoolean();
    String inputs = Arrays.stream(chosen).mapToObj(i -> "'" + texts.get(i) + "'").toList().toString();
    long start = System.nanoTime();
    Answer answer = server.post("{'model': 'tiny', 'task': 'retrieval.passage', 'input': " + inputs
        + (base64 ? ", 'embedding_type': 'base64'}" : "}"));
    if (answer.status() == 429) {
      refused.incrementAndGet();
      if (answer.response().headers().firstValue("retry-after").isEmpty()) wrong.add("429 without Retry-After");
      return;
    }
    latencies.add(System.nanoTime() - start);
    if (answer.status() != 200) {
      wrong.add(answer.status() + " " + answer.json());
      return;
    }
    accepted.incrementAndGet();
    for (int i = 0; i < chosen.length; i++) {
      JsonNode vector = answer.json().at("/data/" + i + "/embedding");
      if (!Arrays.equals(expected.get(chosen[i]), base64 ? RunningServer.decode(vector) : answer.vector(i))) {
        wrong.add("another vector for text " + chosen[i]);
      }
    }
  }

  private void attack(RunningServer server, Random random) throws InterruptedException {
    hostile.incrementAndGet();
    String head = "POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ";
    String good = "{\"model\":\"tiny\",\"input\":[\"" + "a b ".repeat(random.nextInt(300)) + "\"]}";
    switch (random.nextInt(6)) {
      case 0 -> raw(server, head + "100\r\n\r\n{\"model\":", 1);
      case 1 -> raw(server, head + good.length() + "\r\n\r\n" + good, 0); // leaves before the answer
      case 2 -> raw(server, head + "50\r\n\r\n   ", 30);
      case 3 -> status(server.post("{'model':'tiny','input':" + "[".repeat(100_000)), 400);
      case 4 -> status(server.post("{'model':'tiny','input':[" + "1".repeat(5_000) + ", {'a': 1e999}]}"), 422, 400);
      default -> status(server.post("{'model':'tiny','input':{'image':'" + "iVBORw0KGgo".repeat(2_000) + "'}}"), 422);
    }
  }

  private void status(Answer answer, Integer... statuses) {
    if (answer.status() != 429 && !Arrays.asList(statuses).contains(answer.status())) {
      wrong.add("a hostile request got " + answer.status());
    }
  }

  private static void raw(RunningServer server, String bytes, long millis) throws InterruptedException {
    try (Socket socket = new Socket("127.0.0.1", server.server.port())) {
      socket.getOutputStream().write(bytes.getBytes(StandardCharsets.UTF_8));
      Thread.sleep(millis);
    } catch (IOException gone) {
      // so is the attacker
    }
  }

  /** Of the whole process, client included, after a collection. */
  private static long residentBytes() throws IOException {
    System.gc();
    Path status = Path.of("/proc/self/status");
    if (!Files.exists(status)) return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    return Files.readAllLines(status).stream().filter(line -> line.startsWith("VmRSS:"))
        .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D+", ""))).findFirst().orElseThrow();
  }
}
