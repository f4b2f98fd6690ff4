package io.embed4j.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.PreparedRequest;
import io.embed4j.Task;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The order of the queue, its bounds, and that nothing is lost or swapped in it. */
@Timeout(120)
class DispatcherTest {
  private static EmbeddingModel model;
  private final Metrics metrics = new Metrics();
  private final Dispatcher dispatcher = new Dispatcher("test", model, 2048, 10_000, metrics);
  private final List<String> ended = Collections.synchronizedList(new ArrayList<>());

  @BeforeAll
  static void open() {
    model = EmbeddingModel.open(TinyModel.path());
  }

  @AfterAll
  static void closeModel() {
    model.close();
  }

  @AfterEach
  void close() {
    dispatcher.close();
    metrics.close();
  }

  private static PreparedRequest ofTokens(int tokens) {
    return model.prepare(EmbeddingRequest.tokens(new int[tokens]));
  }

  private Job submit(String name, int items, int tokens) throws Exception {
    Job job = new Job(items, System.nanoTime() + TimeUnit.MINUTES.toNanos(2));
    job.end().whenComplete((done, failed) -> ended.add(name));
    dispatcher.submit(job, 0, Collections.nCopies(items, ofTokens(tokens)), () -> {});
    return job;
  }

  /** Keeps the model busy for a moment. */
  private Job occupy() throws Exception {
    Job job = submit("running", 1, 2_048);
    while (dispatcher.queuedTokens() > 0) Thread.onSpinWait();
    return job;
  }

  @Test
  void shortTextsPassLongOnesAndLongOnesStillEnd() throws Exception {
    occupy();
    Job longest = submit("long", 1, 1_500);
    Job many = submit("many", 20, 300);
    submit("short", 1, 16);
    longest.end().get();
    many.end().get();
    assertEquals(List.of("running", "short", "long", "many"), ended,
        "the short one waits for what runs; the long one for no more than its own length of the others");
  }

  @Test
  void aLongTextIsOvertakenByItsOwnLengthAndNoMore() throws Exception {
    occupy();
    Job longest = submit("long", 1, 1_500);
    List<Job> others = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      others.add(submit("other", 1, 250));
      if (i == 9) longest.end().get();
    }
    for (Job other : others) other.end().get();
    assertTrue(ended.indexOf("long") <= 11, ended.toString());
  }

  @Test
  void aFullQueueRefusesAndKnowsWhenToComeBack() throws Exception {
    occupy();
    Job waiting = submit("waiting", 4, 1_750);
    RequestException full = assertThrows(RequestException.class, () -> {
      submit("a", 2, 1_150);
      submit("b", 2, 1_150);
    });
    assertEquals(Problem.QUEUE_FULL, full.problem());
    assertTrue(full.retryAfterSeconds() >= 1 && full.retryAfterSeconds() <= 60);
    assertEquals(Problem.TOO_MANY_TOKENS, assertThrows(RequestException.class, () -> submit("c", 5, 2_300)).problem());
    waiting.end().get();
    submit("d", 2, 1_150).end().get();
  }

  @Test
  void whatIsWithdrawnIsNotEmbeddedAndFreesItsPlace() throws Exception {
    Job running = occupy();
    AtomicInteger taken = new AtomicInteger();
    Job gone = new Job(3, System.nanoTime() + TimeUnit.MINUTES.toNanos(1));
    dispatcher.submit(gone, 0, Collections.nCopies(3, ofTokens(2_000)), taken::incrementAndGet);
    Job late = new Job(1, System.nanoTime());
    dispatcher.submit(late, 0, List.of(ofTokens(1_500)), taken::incrementAndGet);
    gone.cancel("test");
    dispatcher.withdraw(gone);
    assertEquals(3, taken.get());
    assertThrows(ExecutionException.class, () -> gone.end().get());
    submit("after", 1, 16).end().get();
    running.end().get();
    assertEquals(4, taken.get(), "what is past its deadline is dropped when its turn comes");
    assertEquals(0, dispatcher.queuedTokens());
    assertTrue(metrics.text().contains("embed4j_tokens_total{model=\"test\"} 2064.0"), metrics.text());
  }

  @Test
  void shortTextsDoNotWaitForOneThatIsLongerThanABatch() throws Exception {
    Job lengthy = submit("lengthy", 1, 9_000);
    while (dispatcher.queuedTokens() > 0) Thread.onSpinWait();
    for (int i = 0; i < 3; i++) submit("short", 1, 16).end().get();
    lengthy.end().get();
    assertEquals(List.of("short", "short", "short", "lengthy"), ended);
  }

  @Test
  void whileShortTextsNeverEndALongOneGetsHalfOfTheTime() throws Exception {
    Dispatcher roomy = new Dispatcher("roomy", model, 2048, 1_000_000, metrics);
    Job lengthy = new Job(1, System.nanoTime() + TimeUnit.MINUTES.toNanos(2));
    roomy.submit(lengthy, 0, List.of(ofTokens(4_000)), () -> {});
    while (roomy.queuedTokens() > 0) Thread.onSpinWait();
    Job others = new Job(60, System.nanoTime() + TimeUnit.MINUTES.toNanos(2));
    roomy.submit(others, 0, Collections.nCopies(60, ofTokens(1_500)), () -> {});
    lengthy.end().get();
    assertFalse(others.end().isDone(), "4,000 tokens were done beside 90,000");
    others.end().get();
    roomy.close();
  }

  @Test
  void aBatchIsCancelledWhenNobodyWaitsForItAndNotBefore() throws Exception {
    Job left = submit("left", 1, 9_000);
    while (dispatcher.queuedTokens() > 0) Thread.onSpinWait();
    left.cancel("test");
    dispatcher.withdraw(left);
    submit("after", 1, 9_000).end().get();
    assertTrue(metrics.text().contains("embed4j_batch_cancelled_total{model=\"test\"} 1.0"), metrics.text());
    assertTrue(metrics.text().contains("embed4j_tokens_total{model=\"test\"} 9000.0"),
        "the first was not run to its end");

    occupy();
    Job gone = submit("gone", 1, 1_000);
    Job stays = submit("stays", 1, 1_000); // in one batch
    while (dispatcher.queuedTokens() > 0) Thread.onSpinWait();
    gone.cancel("test");
    dispatcher.withdraw(gone);
    stays.end().get();
    assertArrayEquals(model.embedPrepared(List.of(ofTokens(1_000))).getFirst().orThrow().dense().toArray(),
        stays.outcomes()[0].orThrow().dense().toArray());
    assertTrue(metrics.text().contains("embed4j_batch_cancelled_total{model=\"test\"} 1.0"), metrics.text());
  }

  @Test
  void closingEndsThoseThatWait() throws Exception {
    occupy();
    Job waiting = submit("waiting", 1, 2_000);
    dispatcher.close();
    assertThrows(ExecutionException.class, () -> waiting.end().get());
    assertEquals(Problem.UNAVAILABLE, assertThrows(RequestException.class, () -> submit("x", 1, 1)).problem());
  }

  @Test
  void everyItemGetsItsOwnVector() throws Exception {
    List<float[]> expected = new ArrayList<>();
    List<EmbeddingRequest> requests = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      requests.add(EmbeddingRequest.text("number " + i).task(Task.values()[i % 3]));
      expected.add(model.embed(requests.getLast()).dense().toArray());
    }
    List<Job> jobs = new ArrayList<>();
    for (int round = 0; round < 20; round++) {
      Job job = new Job(30, System.nanoTime() + TimeUnit.MINUTES.toNanos(1));
      dispatcher.submit(job, 0, requests.stream().map(model::prepare).toList(), () -> {});
      jobs.add(job);
    }
    for (Job job : jobs) {
      job.end().get();
      for (int i = 0; i < 30; i++) assertArrayEquals(expected.get(i), job.outcomes()[i].orThrow().dense().toArray());
    }
  }
}
