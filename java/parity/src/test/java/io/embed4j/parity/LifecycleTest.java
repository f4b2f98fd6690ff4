package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.Cancellation;
import io.embed4j.DenseEmbedding;
import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ModelOptions;
import io.embed4j.Outcome;
import io.embed4j.PreparedRequest;
import io.embed4j.Priority;
import io.embed4j.Task;
import io.embed4j.convert.WeightType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@Timeout(120)
class LifecycleTest {
  private static final EmbeddingRequest HELLO = EmbeddingRequest.text("hello");

  @Test
  void aClosedModelSaysSo() {
    EmbeddingModel model = EmbeddingModel.open(TinyModel.small());
    model.close();
    model.close();
    assertThrows(IllegalStateException.class, () -> model.embed(HELLO));
    assertThrows(IllegalStateException.class, () -> model.embedAll(List.of(HELLO)));
    assertThrows(IllegalStateException.class, () -> model.embedAll(List.of()));
    assertEquals(256, model.info().hiddenSize(), "what it was can still be asked");
  }

  @Test
  void aRequestPreparedAheadGivesTheSameVectorAndIsItsModelsOnly() {
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.small());
        EmbeddingModel other = EmbeddingModel.open(TinyModel.small())) {
      List<PreparedRequest> prepared = List.of(model.prepare(HELLO), model.prepare(numbered(7)), model.prepare(HELLO));
      List<Outcome> outcomes = model.embedPrepared(prepared);
      assertArrayEquals(model.embed(HELLO).dense().toArray(), outcomes.get(0).orThrow().dense().toArray());
      assertArrayEquals(model.embed(numbered(7)).dense().toArray(), outcomes.get(1).orThrow().dense().toArray());
      assertEquals(model.embed(HELLO).tokens(), prepared.getFirst().tokens());
      assertEquals(0, prepared.getFirst().patches());
      assertThrows(IllegalArgumentException.class, () -> other.embedPrepared(prepared));
      model.close();
      assertThrows(IllegalStateException.class, () -> model.prepare(HELLO));
      assertThrows(IllegalStateException.class, () -> model.embedPrepared(prepared));
    }
  }

  @Test
  void manyVirtualThreadsAtOnceGetTheirOwnAnswers() throws Exception {
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.small());
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<float[]> expected = new ArrayList<>();
      for (int i = 0; i < 20; i++) expected.add(model.embed(numbered(i)).dense().toArray());
      List<Future<float[]>> answers = new ArrayList<>();
      for (int i = 0; i < 400; i++) {
        int n = i % 20;
        answers.add(threads.submit(() -> model.embed(numbered(n)).dense().toArray()));
      }
      for (int i = 0; i < 400; i++) assertTrue(Arrays.equals(expected.get(i % 20), answers.get(i).get()), "answer " + i);
    }
  }

  @Test
  void closingWhileCallsRunIsSafe() throws Exception {
    for (int round = 0; round < 20; round++) {
      EmbeddingModel model = EmbeddingModel.open(TinyModel.small());
      AtomicInteger embedded = new AtomicInteger();
      AtomicInteger refused = new AtomicInteger();
      CountDownLatch running = new CountDownLatch(8);
      try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
        for (int t = 0; t < 16; t++) {
          int n = t;
          threads.submit(() -> {
            try {
              while (true) {
                model.embed(numbered(n));
                embedded.incrementAndGet();
                running.countDown();
              }
            } catch (IllegalStateException closed) {
              refused.incrementAndGet();
            }
          });
        }
        running.await();
        Thread.ofVirtual().start(model::close);
        model.close();
        assertThrows(IllegalStateException.class, () -> model.embed(HELLO));
      }
      assertEquals(16, refused.get(), "every thread was told, after " + embedded + " embeddings");
    }
  }

  @Test
  void closingEndsALongCallEarly() throws Exception {
    EmbeddingModel model = EmbeddingModel.open(TinyModel.small());
    EmbeddingRequest longText = EmbeddingRequest.text("a b ".repeat(6_000));
    CountDownLatch started = new CountDownLatch(1);
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<?> call = threads.submit(() -> {
        started.countDown();
        assertThrows(IllegalStateException.class, () -> {
          while (true) model.embed(longText);
        });
      });
      started.await();
      Thread.sleep(Duration.ofMillis(50));
      model.close();
      call.get();
    }
  }

  /** A text that takes long enough for others to come meanwhile. */
  private static PreparedRequest lengthy(EmbeddingModel model) {
    return model.prepare(EmbeddingRequest.text("a b ".repeat(3_500)));
  }

  private static float[] vector(List<Outcome> outcomes) {
    return outcomes.getFirst().orThrow().dense().toArray();
  }

  @Test
  void aCancelledCallEndsWhileItRunsAndWhileItWaits() throws Exception {
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.small());
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<PreparedRequest> requests = List.of(lengthy(model));
      long begun = System.nanoTime();
      float[] expected = vector(model.embedPrepared(requests));
      long whole = System.nanoTime() - begun;
      for (Priority priority : Priority.values()) {
        Cancellation running = new Cancellation();
        Cancellation waiting = new Cancellation();
        Future<?> first = threads.submit(() -> model.embedPrepared(requests, priority, running));
        Thread.sleep(Duration.ofNanos(whole / 8));
        Future<?> second = threads.submit(() -> model.embedPrepared(requests, priority, waiting));
        Thread.sleep(Duration.ofNanos(whole / 8));
        waiting.cancel();
        assertCancelled(second);
        assertFalse(first.isDone(), "cancelling the one that waited left the one that runs alone");
        long cancelled = System.nanoTime();
        running.cancel();
        assertCancelled(first);
        assertTrue(System.nanoTime() - cancelled < whole / 2, "it was not run to its end");
        assertThrows(EmbeddingException.class, () -> model.embedPrepared(requests, priority, running), "it stays cancelled");
        assertArrayEquals(expected, vector(model.embedPrepared(requests, priority, new Cancellation())));
      }
    }
  }

  private static void assertCancelled(Future<?> call) {
    Throwable cause = assertThrows(ExecutionException.class, call::get).getCause();
    assertEquals(EmbeddingException.CANCELLED, assertInstanceOf(EmbeddingException.class, cause).code());
  }

  @Test
  void aBackgroundCallLetsOthersPassAndGivesTheSameVector() throws Exception {
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.small());
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<PreparedRequest> requests = List.of(lengthy(model));
      float[] expected = vector(model.embedPrepared(requests));
      float[] hello = model.embed(HELLO).dense().toArray();
      Future<float[]> background = threads.submit(() ->
          vector(model.embedPrepared(requests, Priority.BACKGROUND, new Cancellation())));
      Thread.sleep(50);
      for (int i = 0; i < 5; i++) assertArrayEquals(hello, model.embed(HELLO).dense().toArray());
      assertFalse(background.isDone(), "the others did not wait for it");
      assertArrayEquals(expected, background.get());
      Future<?> closed = threads.submit(() -> model.embedPrepared(requests, Priority.BACKGROUND, new Cancellation()));
      Thread.sleep(50);
      model.close();
      assertInstanceOf(IllegalStateException.class, assertThrows(ExecutionException.class, closed::get).getCause());
    }
  }

  @Test
  void aThreadInterruptedWhileWaitingIsReleased() throws Exception {
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.small())) {
      Thread.currentThread().interrupt();
      EmbeddingException e = assertThrows(EmbeddingException.class, () -> model.embed(HELLO));
      assertEquals(EmbeddingException.CANCELLED, e.code());
      assertTrue(Thread.interrupted(), "the interrupt is not swallowed");
      assertEquals(256, model.embed(HELLO).dense().dimensions(), "the model goes on");
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void memoryIsFlatOverAThousandModels() throws Exception {
    long settled = 0;
    for (int i = 1; i <= 1000; i++) {
      try (EmbeddingModel model = EmbeddingModel.open(TinyModel.small(), ModelOptions.defaults().threads(2))) {
        model.embed(HELLO.task(Task.CODE).multiVector(i % 2 == 0));
      }
      if (i == 300) settled = residentBytes();
    }
    long grown = residentBytes() - settled;
    // 700 leaked workspaces or packed layers would be gigabytes; the Java heap and malloc's arenas may still breathe
    assertTrue(grown < 192 << 20, "resident memory grew by " + (grown >> 20) + " MB over 700 models");
  }

  @Test
  void embeddingsOutliveTheirModel() {
    DenseEmbedding embedding;
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.of(WeightType.BF16))) {
      embedding = model.embed(HELLO).dense();
    }
    assertEquals(1, embedding.cosine(embedding), 1e-9);
    assertEquals(4L * 256, embedding.segment().byteSize());
  }

  private static EmbeddingRequest numbered(int n) {
    return EmbeddingRequest.text("hello ".repeat(1 + n)).task(Task.values()[n % 3]);
  }

  private static long residentBytes() throws IOException {
    System.gc();
    return Files.readAllLines(Path.of("/proc/self/status")).stream().filter(line -> line.startsWith("VmRSS:"))
        .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D+", ""))).findFirst().orElseThrow();
  }
}
