package io.embed4j.server;

import io.embed4j.Cancellation;
import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.Outcome;
import io.embed4j.PreparedRequest;
import io.embed4j.Priority;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Packs the items of all requests into batches of one model: the next batch is what queued while the last one ran, up to
 * the token budget; nothing waits for a batch to fill. Items of different tasks share a batch.
 *
 * <p>The order is self-clocked fair queueing (Golestani, INFOCOM 1994) with tokens for time: a clock counts the tokens
 * taken from the queue, an item's place is the clock when it came, or its request's last place if that is later, plus its
 * own tokens, and the least place goes first. So a short text passes a long one that came before it, requests of many
 * items take turns with others, and nothing starves: an item of n tokens waits for at most the batch that runs, n tokens
 * of items that came after it, and what was queued before.
 *
 * <p>Texts longer than a batch have a lane of their own, which runs one at a time in the background: the model pauses it for
 * milliseconds or for as long as a batch of the others takes, in the midst of its work. While both lanes have work each gets
 * half of the time, so a short text does not wait for a long one, and a long one takes at most twice its time and a batch.
 *
 * <p>A batch is cancelled when none of its requests is waited for any longer.
 */
final class Dispatcher implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Dispatcher.class);

  /**
   * One input in the queue.
   *
   * @param place in the order
   * @param number of its arrival, which breaks ties
   * @param taken called once, when it has left the queue for good
   */
  private record Item(Job job, int index, PreparedRequest request, long place, long number, Runnable taken) {}

  /** What runs together. */
  private record Batch(List<Item> items, long tokens, long start, Cancellation cancellation) {}

  private final EmbeddingModel model;
  private final int batchTokens;
  private final long maxTokens;
  private final Metrics.OfModel metrics;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition space = lock.newCondition();
  private final Lane ordinary;
  private final Lane lengthy;
  private final ExecutorService answers;
  private long queuedTokens;
  private long clock;
  private long arrivals;
  private long ordinaryNanos; // that ordinary batches took while the lengthy text ran that runs now
  private double tokensPerSecond = 100;
  private boolean closed;

  /** Items in their order, and the thread that embeds them. Everything is guarded by the dispatcher's lock. */
  private final class Lane {
    private final Priority priority;
    private final Condition work = lock.newCondition();
    private final PriorityQueue<Item> queue =
        new PriorityQueue<>(Comparator.comparingLong(Item::place).thenComparingLong(Item::number));
    private final Thread thread;
    private Batch running; // or null

    Lane(String name, Priority priority) {
      this.priority = priority;
      this.thread = Thread.ofPlatform().name(name).unstarted(() -> serve(this));
    }
  }

  /**
   * Starts the model's threads.
   *
   * @param maxTokens that may wait
   */
  Dispatcher(String name, EmbeddingModel model, int batchTokens, long maxTokens, Metrics metrics) {
    this.model = model;
    this.batchTokens = batchTokens;
    this.maxTokens = maxTokens;
    this.metrics = metrics.of(name, this::queuedTokens);
    this.answers = Executors.newSingleThreadExecutor(Thread.ofVirtual().name("answers").factory());
    this.ordinary = new Lane("embed4j-" + name, Priority.NORMAL);
    this.lengthy = new Lane("embed4j-long-" + name, Priority.BACKGROUND);
    ordinary.thread.start();
    lengthy.thread.start();
  }

  long queuedTokens() {
    lock.lock();
    try {
      return queuedTokens;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Queues items of a request, all of them or none.
   *
   * @param first index of the first among the request's items; a request that has items in the queue already waits for room
   *     until its deadline, another is refused at once
   * @param taken called once per item, when it has left the queue for good; not after an exception
   * @throws RequestException when the queue is full or closed
   */
  void submit(Job job, int first, List<PreparedRequest> requests, Runnable taken)
      throws RequestException, InterruptedException {
    long tokens = requests.stream().mapToLong(PreparedRequest::tokens).sum();
    lock.lock();
    try {
      if (tokens > maxTokens) {
        throw RequestException.of(Problem.TOO_MANY_TOKENS,
            "the request has " + tokens + " tokens, the limit is " + maxTokens, "input");
      }
      while (first > 0 && tokens > maxTokens - queuedTokens && !closed && !job.over()) {
        space.await(job.deadline() - System.nanoTime(), TimeUnit.NANOSECONDS);
      }
      if (tokens > maxTokens - queuedTokens) {
        metrics.refused();
        throw RequestException.busy(Problem.QUEUE_FULL, queuedTokens + " tokens are waiting for this model, the limit is "
            + maxTokens, Math.clamp((long) Math.ceil(queuedTokens / tokensPerSecond), 1, 60));
      }
      if (closed) throw RequestException.of(Problem.UNAVAILABLE, "the server is stopping");
      for (int i = 0; i < requests.size(); i++) {
        int length = requests.get(i).tokens();
        Lane lane = length > batchTokens ? lengthy : ordinary;
        job.place = Math.max(job.place, clock) + length;
        lane.queue.add(new Item(job, first + i, requests.get(i), job.place, arrivals++, taken));
        lane.work.signal();
      }
      job.queued += requests.size();
      queuedTokens += tokens;
    } finally {
      lock.unlock();
    }
  }

  /** Nobody waits for a request any longer: takes its items out of the queue, and cancels a batch that ran for it alone. */
  void withdraw(Job job) {
    job.cancel("the request has ended");
    List<Item> withdrawn = new ArrayList<>();
    lock.lock();
    try {
      for (Lane lane : List.of(ordinary, lengthy)) {
        if (job.queued > 0) lane.queue.removeIf(item -> item.job == job && withdrawn.add(item));
        Batch running = lane.running;
        if (running != null && running.items.stream().allMatch(item -> item.job.over())) running.cancellation.cancel();
      }
      for (Item item : withdrawn) queuedTokens -= item.request.tokens();
      job.queued -= withdrawn.size();
      space.signalAll();
    } finally {
      lock.unlock();
    }
    withdrawn.forEach(item -> item.taken.run());
    metrics.withdrawn(withdrawn.size());
  }

  /** Takes nothing more; what waits ends with an error. */
  void stop() {
    lock.lock();
    try {
      closed = true;
      ordinary.work.signalAll();
      lengthy.work.signalAll();
      space.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Stops, and waits for the batches that run; the model stays open. */
  @Override
  public void close() {
    stop();
    try {
      ordinary.thread.join();
      lengthy.thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    answers.close();
  }

  private void serve(Lane lane) {
    for (Batch batch = next(lane); batch != null; batch = next(lane)) run(lane, batch);
    lock.lock();
    try {
      for (Item item : lane.queue) {
        queuedTokens -= item.request.tokens();
        item.taken.run();
        item.job.cancel("the server is stopping");
      }
      lane.queue.clear();
    } finally {
      lock.unlock();
    }
  }

  /** Waits for work; null once closed. */
  private Batch next(Lane lane) {
    lock.lock();
    try {
      while (true) {
        while (!closed && (lane.queue.isEmpty() || owedNanos(lane) > 0)) {
          if (lane.queue.isEmpty()) lane.work.awaitUninterruptibly();
          else lane.work.awaitNanos(owedNanos(lane));
        }
        if (closed) return null;
        List<Item> items = new ArrayList<>();
        long tokens = take(lane, items);
        space.signalAll();
        if (items.isEmpty()) continue;
        if (lane == lengthy) ordinaryNanos = 0;
        return lane.running = new Batch(items, tokens, System.nanoTime(), new Cancellation());
      }
    } catch (InterruptedException e) {
      throw new AssertionError("nobody interrupts this thread", e);
    } finally {
      lock.unlock();
    }
  }

  /** Time for which ordinary batches have to leave the model to the lengthy text that runs, so that each had half. */
  private long owedNanos(Lane lane) {
    if (lane == lengthy || lengthy.running == null) return 0;
    return 2 * ordinaryNanos - (System.nanoTime() - lengthy.running.start);
  }

  private long take(Lane lane, List<Item> items) {
    long tokens = 0;
    for (Item item = lane.queue.peek(); item != null; item = lane.queue.peek()) {
      int length = item.request.tokens();
      boolean over = item.job.over();
      if (!over && !items.isEmpty() && tokens + length > batchTokens) break;
      lane.queue.remove();
      item.job.queued--;
      queuedTokens -= length;
      if (over) {
        item.taken.run();
      } else {
        clock += length;
        tokens += length;
        items.add(item);
      }
    }
    return tokens;
  }

  private void run(Lane lane, Batch batch) {
    List<Outcome> outcomes;
    boolean cancelled = false;
    try {
      outcomes = model.embedPrepared(batch.items.stream().map(Item::request).toList(), lane.priority, batch.cancellation);
    } catch (RuntimeException | Error e) {
      cancelled = batch.cancellation.cancelled() && e instanceof EmbeddingException embedding
          && embedding.code().equals(EmbeddingException.CANCELLED);
      EmbeddingException error = cancelled ? (EmbeddingException) e : failure(e, batch.items.size());
      outcomes = batch.items.stream().map(item -> (Outcome) new Outcome.Failure(error)).toList();
    }
    long now = System.nanoTime();
    lock.lock();
    try {
      lane.running = null;
      if (lane == lengthy) ordinary.work.signal();
      else if (lengthy.running != null) ordinaryNanos += now - Math.max(batch.start, lengthy.running.start);
      if (!cancelled) tokensPerSecond += 0.2 * (1e9 * batch.tokens / Math.max(now - batch.start, 1) - tokensPerSecond);
    } finally {
      lock.unlock();
    }
    if (cancelled) metrics.cancelled();
    else metrics.batch(batch.items.size(), batch.tokens, now - batch.start);
    List<Outcome> results = outcomes;
    answers.execute(() -> complete(batch, results)); // waking so many threads takes its time; the next batch begins meanwhile
  }

  private static EmbeddingException failure(Throwable e, int items) {
    boolean closing = e instanceof IllegalStateException;
    if (closing) LOG.debug("the model was closed while a batch of {} items ran", items);
    else LOG.error("a batch of {} items failed", items, e);
    return e instanceof EmbeddingException embedding ? embedding
        : new EmbeddingException(closing ? EmbeddingException.CANCELLED : EmbeddingException.INTERNAL, "the batch failed", e);
  }

  private static void complete(Batch batch, List<Outcome> outcomes) {
    for (int i = 0; i < batch.items.size(); i++) {
      Item item = batch.items.get(i);
      item.taken.run();
      item.job.complete(item.index, outcomes.get(i));
    }
  }
}
