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
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/**
 * Twice the requests that the server can take, 5 % of them hostile: every accepted one gets the engine's own vectors,
 * the others 429, memory stays flat and the server is well again at once. For the long form:
 * {@code mvn verify -pl java/server -am -Dtest=OverloadTest -Dsurefire.failIfNoSpecifiedTests=false
 * -Dembed4j.soak.seconds=600}.
 */
class OverloadTest {
  private static final int CLIENTS = 8;
  private static final int TEXTS = 60;
  private static final int LENGTHY = 59;
  /** Requests of one client's side at a time; far more than the server holds,
      so that it bounds the load and not they. */
  private static final int OUTSTANDING = 600;
  private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(5);

  /** Promises 60,000 x 60,000 pixels. */
  private static final String BOMB = Base64.getEncoder().encodeToString(HostileTest.png(60_000, 60_000));

  private final List<String> texts = new ArrayList<>();
  private final List<float[]> expected = new ArrayList<>();
  private final List<Long> latencies = Collections.synchronizedList(new ArrayList<>());
  private final List<String> wrong = Collections.synchronizedList(new ArrayList<>());
  private final AtomicInteger asked = new AtomicInteger();
  private final AtomicInteger accepted = new AtomicInteger();
  private final AtomicInteger refused = new AtomicInteger();
  private final AtomicInteger hostile = new AtomicInteger();

  @Test
  void answersStayRightAndMemoryFlat() throws Exception {
    long seconds = Long.getLong("embed4j.soak.seconds", 4);
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.path())) {
      for (int i = 0; i < TEXTS; i++) {
        texts.add("number " + i + " of the texts ".repeat(i == LENGTHY ? 800 : i % 10 == 9 ? 60 : i % 5));
        expected.add(model.embed(request(texts.getLast())).dense().toArray());
      }
      assertTrue(model.prepare(request(texts.get(LENGTHY))).tokens() > 2048, "longer than a batch");
    }
    try (RunningServer server = RunningServer.with("max-queue-tokens=6000", "body-timeout=0.5", "request-timeout=20")) {
      double rate = 2 * capacity(server);
      for (int attempt = 0; attempt < 8; attempt++) { // until it is twice the capacity: about half are refused
        clear();
        rate = overload(server, Math.clamp(seconds / 6, 1, 5), rate);
        if (refused.get() > 0.45 * asked.get()) break;
        rate *= 1.4;
      }
      clear();
      List<Long> resident = new ArrayList<>(List.of(residentBytes() >> 20));
      for (int part = 0; part < 4; part++) {
        rate = overload(server, Math.max(1, seconds / 4), rate);
        resident.add(residentBytes() >> 20);
      }
      long end = System.nanoTime();
      assertEquals(200, server.post("{'model': 'tiny', 'input': 'hello'}").status());
      while (!idle(server) && System.nanoTime() - end < TimeUnit.SECONDS.toNanos(5)) Thread.sleep(20);
      double recovery = (System.nanoTime() - end) / 1e9;
      assertTrue(idle(server), "nothing is held when nobody asks");
      assertEquals(List.of(), wrong);
      Collections.sort(latencies);
      long p99 = latencies.get((int) (latencies.size() * 0.99));
      System.out.printf("%.0f requests a second; %d asked, %d accepted, %d refused, %d hostile; p50 %d ms, p99 %d ms, "
          + "most %d ms; resident %s MB, recovered in %.2f s%n", rate, asked.get(), accepted.get(), refused.get(),
              hostile.get(),
          latencies.get(latencies.size() / 2) / 1_000_000, p99 / 1_000_000, latencies.getLast() / 1_000_000, resident,
              recovery);
      assertEquals(asked.get(), accepted.get() + refused.get(), "every request got its vectors or 429");
      assertTrue(accepted.get() > 100 && refused.get() > accepted.get() / 4 && hostile.get() > 10,
          accepted + ", " + refused + ", " + hostile);
      assertTrue(p99 < TimeUnit.SECONDS.toNanos(10), "p99 is " + p99 + " ns");
      long grown = resident.getLast() - resident.getFirst();
      assertTrue(grown < 200, "resident memory grew by " + grown + " MB");
    }
  }

  private static EmbeddingRequest request(String text) {
    return EmbeddingRequest.text(text).task(Task.RETRIEVAL).prompt(Prompt.PASSAGE);
  }

  private static boolean idle(RunningServer server) {
    String metrics = new String(server.get("/metrics").response().body(), StandardCharsets.UTF_8);
    return metrics.contains("\nembed4j_memory_requests 0.0") && metrics.contains("\nembed4j_requests_running 0.0")
        && metrics.contains("\nembed4j_queue_tokens{model=\"tiny\"} 0.0");
  }

  private void clear() {
    latencies.clear();
    for (AtomicInteger count : List.of(asked, accepted, refused, hostile)) count.set(0);
  }

  /** Requests a second that it answers while each of few clients waits for its answer before it asks again. */
  private double capacity(RunningServer server) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(2);
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<?>> clients = new ArrayList<>();
      for (int c = 0; c < CLIENTS; c++) {
        Random random = new Random(c);
        clients.add(threads.submit(() -> {
          while (System.nanoTime() < end && wrong.isEmpty()) ask(server, random);
          return null;
        }));
      }
      for (Future<?> client : clients) client.get();
    }
    assertEquals(List.of(), wrong);
    return accepted.get() / 2.0;
  }

  /**
   * Requests at a steady rate, whether those before are answered or not; faster from then on when the server, which gets
   * faster in its first minutes, answers more than half of them. Returns the last rate.
   */
  private double overload(RunningServer server, long seconds, double first) throws Exception {
    double rate = first;
    long start = System.nanoTime();
    long due = start;
    long looked = start;
    int before = accepted.get();
    Semaphore room = new Semaphore(OUTSTANDING);
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<?>> requests = new ArrayList<>();
      for (long i = 0; due - start < TimeUnit.SECONDS.toNanos(seconds) && wrong.size() < 10; i++) {
        Random random = new Random(31 * i + seconds);
        while (System.nanoTime() < due) Thread.sleep(1);
        room.acquire();
        requests.add(threads.submit(() -> {
          try {
            if (random.nextInt(20) == 0) attack(server, random);
            else ask(server, random);
            return null;
          } finally {
            room.release();
          }
        }));
        if (requests.size() == 10_000) for (Future<?> request : drained(requests)) request.get();
        due += (long) (1e9 / rate);
        long now = System.nanoTime();
        if (now - looked >= LOOK_NANOS) {
          rate = Math.max(rate, 2.1 * (accepted.get() - before) * 1e9 / (now - looked)); // one in twenty is hostile
          looked = now;
          before = accepted.get();
        }
      }
      for (Future<?> request : requests) request.get();
    }
    return rate;
  }

  private static List<Future<?>> drained(List<Future<?>> requests) {
    List<Future<?>> all = List.copyOf(requests);
    requests.clear();
    return all;
  }

  private void ask(RunningServer server, Random random) {
    asked.incrementAndGet();
    int[] chosen = random.ints(1 + random.nextInt(8), 0, LENGTHY).toArray();
    if (random.nextInt(100) == 0) chosen = new int[] {LENGTHY};
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
    switch (random.nextInt(9)) {
      case 0 -> raw(server, head + "100\r\n\r\n{\"model\":", 1);
      case 1 -> raw(server, head + good.length() + "\r\n\r\n" + good, 0); // leaves before the answer
      case 2 -> raw(server, head + "50\r\n\r\n   ", 30);
      case 3 -> status(server.post("{'model':'tiny','input':" + "[".repeat(100_000)), 400);
      case 4 -> status(server.post("{'model':'tiny','input':[" + "1".repeat(5_000) + ", {'a': 1e999}]}"), 422, 400);
      case 5 -> raw(server, head + "5000\r\n\r\n{\"model\":\"tiny\",\"input\":[\"", 700); // stops: 408
      case 6 -> status(server.post("{'model':'tiny','input':{'image':'" + BOMB + "'}}"), 422);
      case 7 -> { // leaves while its long text runs
        String lengthy = "{\"model\":\"tiny\",\"input\":\"" + "a b ".repeat(1_200) + "\"}";
        raw(server, head + lengthy.length() + "\r\n\r\n" + lengthy, 10);
      }
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
