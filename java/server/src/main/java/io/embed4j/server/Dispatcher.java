package io.embed4j.server;

import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.Outcome;
import io.embed4j.PreparedRequest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
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
 * of items that came after it, and what was queued before. A batch that runs is not interrupted.
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

  private final EmbeddingModel model;
  private final int batchTokens;
  private final long maxTokens;
  private final Metrics.OfModel metrics;
  private final Thread thread;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition work = lock.newCondition();
  private final Condition space = lock.newCondition();
  private final PriorityQueue<Item> queue =
      new PriorityQueue<>(Comparator.comparingLong(Item::place).thenComparingLong(Item::number));
  private long queuedTokens;
  private long clock;
  private long arrivals;
  private double tokensPerSecond = 100;
  private boolean closed;

  /**
   * Starts the model's thread.
   *
   * @param maxTokens that may wait
   */
  Dispatcher(String name, EmbeddingModel model, int batchTokens, long maxTokens, Metrics metrics) {
    this.model = model;
    this.batchTokens = batchTokens;
    this.maxTokens = maxTokens;
    this.metrics = metrics.of(name, this::queuedTokens);
    this.thread = Thread.ofPlatform().name("embed4j-" + name).start(this::serve);
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
        job.place = Math.max(job.place, clock) + requests.get(i).tokens();
        queue.add(new Item(job, first + i, requests.get(i), job.place, arrivals++, taken));
      }
      queuedTokens += tokens;
      work.signal();
    } finally {
      lock.unlock();
    }
  }

  /** Takes a request's items out of the queue; those in the batch that runs come back to nobody. */
  void withdraw(Job job) {
    List<Item> withdrawn = new ArrayList<>();
    lock.lock();
    try {
      queue.removeIf(item -> item.job == job && withdrawn.add(item));
      for (Item item : withdrawn) queuedTokens -= item.request.tokens();
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
      work.signalAll();
      space.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Stops, and waits for the batch that runs; the model stays open. */
  @Override
  public void close() {
    stop();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void serve() {
    for (List<Item> batch = next(); !batch.isEmpty(); batch = next()) run(batch);
    lock.lock();
    try {
      for (Item item : queue) {
        item.taken.run();
        item.job.cancel("the server is stopping");
      }
      queue.clear();
      queuedTokens = 0;
    } finally {
      lock.unlock();
    }
  }

  /** Waits for work; empty once closed. */
  private List<Item> next() {
    List<Item> batch = new ArrayList<>();
    long tokens = 0;
    lock.lock();
    try {
      while (batch.isEmpty()) {
        while (queue.isEmpty() && !closed) work.awaitUninterruptibly();
        if (closed) break;
        for (Item item = queue.peek(); item != null; item = queue.peek()) {
          int length = item.request.tokens();
          boolean over = item.job.over();
          if (!over && !batch.isEmpty() && tokens + length > batchTokens) break;
          queue.remove();
          queuedTokens -= length;
          if (over) {
            item.taken.run();
            continue;
          }
          clock += length;
          tokens += length;
          batch.add(item);
        }
        space.signalAll();
      }
    } finally {
      lock.unlock();
    }
    return batch;
  }

  private void run(List<Item> batch) {
    long start = System.nanoTime();
    long tokens = batch.stream().mapToLong(item -> item.request.tokens()).sum();
    List<Outcome> outcomes;
    try {
      outcomes = model.embedPrepared(batch.stream().map(Item::request).toList());
    } catch (RuntimeException | Error e) {
      boolean closing = e instanceof IllegalStateException;
      if (closing) LOG.debug("the model was closed while a batch of {} items ran", batch.size());
      else LOG.error("a batch of {} items failed", batch.size(), e);
      EmbeddingException error = e instanceof EmbeddingException embedding ? embedding
          : new EmbeddingException(closing ? EmbeddingException.CANCELLED : EmbeddingException.INTERNAL,
              "the batch failed", e);
      outcomes = batch.stream().map(item -> (Outcome) new Outcome.Failure(error)).toList();
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    metrics.batch(batch.size(), tokens, seconds);
    lock.lock();
    try {
      tokensPerSecond += 0.2 * (tokens / Math.max(seconds, 1e-6) - tokensPerSecond);
    } finally {
      lock.unlock();
    }
    for (int i = 0; i < batch.size(); i++) {
      batch.get(i).taken.run();
      batch.get(i).job.complete(batch.get(i).index, outcomes.get(i));
    }
  }
}
