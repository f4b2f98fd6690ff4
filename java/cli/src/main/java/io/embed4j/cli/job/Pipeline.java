package io.embed4j.cli.job;

import io.embed4j.EmbeddingModel;
import io.embed4j.Outcome;
import io.embed4j.cli.input.Items;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * From items to outcomes, in input order: a thread reads, a pool tokenises texts and decodes pictures, a thread runs the
 * model on batches of so many tokens, and whoever calls {@link #take} writes. Bounded is what all rows between being read
 * and being written weigh together, whatever their number. A batch does not wait to be filled while the input pauses, as a
 * person or a slow pipe does.
 */
final class Pipeline implements AutoCloseable {
  private static final long MAX_WEIGHT = 256L << 20;
  private static final int KIB = 1 << 10;
  private static final int CHUNK_ROWS = 64;
  private static final int CHUNK_WEIGHT = 1 << 20;
  private static final int MAX_ROWS = 4096; // in a batch that is mostly of failed items
  /** The rows on the way wait for more to fill their batch, for which there is no room before they are written. */
  private static final Chunk NO_ROOM = new Chunk(List.of(), CompletableFuture.completedFuture(null), true);
  private static final Batch END = new Batch(List.of(), List.of());

  /** Rows and what became of them, one outcome each. */
  record Batch(List<Unit> units, List<Outcome> outcomes) {}

  /**
   * Rows that one task prepares.
   *
   * @param prepared when they are ready
   * @param pause nothing more was there to read when this was
   */
  private record Chunk(List<Unit> units, Future<?> prepared, boolean pause) {}

  private final EmbeddingModel model;
  private final int maxBatchTokens;
  private final Items items;
  private final Reading reading;
  private final int capacity = (int) (Math.min(MAX_WEIGHT, Runtime.getRuntime().maxMemory() / 8) / KIB);
  private final Semaphore room = new Semaphore(capacity);
  private final ExecutorService preparers;
  private final BlockingQueue<Chunk> chunks = new ArrayBlockingQueue<>(64);
  private final BlockingQueue<Batch> batches = new ArrayBlockingQueue<>(16);
  private final Thread reader = new Thread(this::read, "embed4j-read");
  private final Thread runner = new Thread(this::embed, "embed4j-embed");
  private volatile boolean full;
  private volatile boolean stopping;
  private volatile boolean readAll;
  private volatile Throwable failure;

  Pipeline(EmbeddingModel model, int maxBatchTokens, Items items, Reading reading) {
    this.model = model;
    this.maxBatchTokens = maxBatchTokens;
    this.items = items;
    this.reading = reading;
    this.preparers = Executors.newFixedThreadPool(Math.clamp(Runtime.getRuntime().availableProcessors(), 1, 64),
        task -> daemon(new Thread(task, "embed4j-prepare")));
    daemon(reader).start();
    daemon(runner).start();
  }

  private static Thread daemon(Thread thread) {
    thread.setDaemon(true);
    return thread;
  }

  /**
   * The next outcomes, which the caller owns until {@link #written}; null after the last.
   *
   * @throws RuntimeException what ended the reading or the embedding
   */
  Batch take() throws Exception {
    Batch batch = batches.take();
    if (batch != END) return batch;
    switch (failure) {
      case null -> { }
      case Exception e -> throw e;
      case Error e -> throw e;
      default -> throw new IllegalStateException(failure);
    }
    return null;
  }

  /** Makes room for what is to be read. */
  void written(Batch batch) {
    for (Unit unit : batch.units) room.release(kib(unit.weight()));
  }

  /** Finishes the batch in flight and takes no more; {@link #take} gives what is finished, then null. */
  void stop() {
    stopping = true;
    reader.interrupt();
  }

  /** Whether everything was read and embedded. */
  boolean complete() {
    return readAll && !stopping;
  }

  /** Stops at once. */
  @Override
  public void close() throws InterruptedException {
    stop();
    preparers.shutdownNow();
    while (runner.isAlive()) {
      batches.clear(); // it may wait to hand over
      runner.join(10);
    }
    if (preparers.awaitTermination(10, TimeUnit.SECONDS)) reading.close();
  }

  private void read() {
    try {
      Gathering gathering = new Gathering();
      while (!stopping && reading.next(gathering::add)) {
        if (!gathering.units.isEmpty() && !items.ready()) gathering.handOver(true);
      }
      gathering.handOver(false);
      if (!stopping) readAll = true;
    } catch (InterruptedException e) {
      // stopping
    } catch (Throwable e) {
      fail(e);
    }
  }

  /** Rows until there are enough for a task. */
  private final class Gathering {
    private List<Unit> units = new ArrayList<>();
    private long weight;

    void add(Unit unit) throws InterruptedException {
      if (!room.tryAcquire(kib(unit.weight()))) {
        handOver(false); // what was gathered makes room when it is written
        full = true;
        room.acquire(kib(unit.weight()));
        full = false;
      }
      units.add(unit);
      weight += unit.weight();
      if (units.size() >= CHUNK_ROWS || weight >= CHUNK_WEIGHT) handOver(false);
    }

    void handOver(boolean pause) throws InterruptedException {
      if (units.isEmpty()) return;
      List<Unit> rows = units;
      units = new ArrayList<>();
      weight = 0;
      chunks.put(new Chunk(rows, preparers.submit(() -> rows.forEach(this::prepare)), pause));
    }

    /** A picture was taken for the largest there may be until it is decoded. */
    private void prepare(Unit unit) {
      int reserved = kib(unit.weight());
      unit.prepare(model);
      room.release(reserved - kib(unit.weight()));
    }
  }

  private int kib(long weight) {
    return (int) Math.min(capacity, 1 + weight / KIB);
  }

  private void embed() {
    try {
      List<Unit> batch = new ArrayList<>();
      int tokens = 0;
      for (Chunk chunk = next(); chunk != null; chunk = next()) {
        if (!await(chunk)) return;
        for (Unit unit : chunk.units) {
          int more = unit.prepared() == null ? 0 : unit.prepared().tokens();
          if ((more > 0 && tokens > 0 && tokens + more > maxBatchTokens) || batch.size() >= MAX_ROWS) {
            run(batch);
            batch = new ArrayList<>();
            tokens = 0;
            if (stopping) return;
          }
          batch.add(unit);
          tokens += more;
        }
        if (chunk.pause && chunks.isEmpty()) {
          run(batch);
          batch = new ArrayList<>();
          tokens = 0;
        }
      }
      if (!stopping) run(batch);
    } catch (Throwable e) {
      if (!stopping) fail(e);
    } finally {
      handOver(END);
    }
  }

  /** The next chunk in order; null after the last, and when there is a reason to stop. */
  private Chunk next() throws InterruptedException {
    while (!stopping) {
      boolean last = readAll; // before looking: what was read is in the queue by then
      boolean noRoom = full;
      Chunk chunk = chunks.poll(20, TimeUnit.MILLISECONDS);
      if (chunk != null || last) return chunk;
      if (noRoom && full) return NO_ROOM;
    }
    return null;
  }

  private boolean await(Chunk chunk) throws InterruptedException, ExecutionException {
    while (!stopping) {
      try {
        chunk.prepared.get(100, TimeUnit.MILLISECONDS);
        return true;
      } catch (TimeoutException e) {
        // a large picture
      }
    }
    return false;
  }

  private void run(List<Unit> batch) {
    if (batch.isEmpty()) return;
    List<Outcome> embedded = model.embedPrepared(batch.stream().map(Unit::prepared).filter(Objects::nonNull).toList());
    List<Outcome> outcomes = new ArrayList<>(batch.size());
    int next = 0;
    for (Unit unit : batch) {
      outcomes.add(unit.error() == null ? embedded.get(next++) : new Outcome.Failure(unit.error()));
    }
    handOver(new Batch(batch, outcomes));
  }

  private void handOver(Batch batch) {
    try {
      batches.put(batch);
    } catch (InterruptedException e) {
      throw new IllegalStateException("nobody interrupts this thread", e);
    }
  }

  private void fail(Throwable e) {
    if (failure == null) failure = e;
    stopping = true;
  }
}
