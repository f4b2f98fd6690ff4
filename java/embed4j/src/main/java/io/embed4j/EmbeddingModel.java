package io.embed4j;

import io.embed4j.batch.Engine;
import io.embed4j.batch.StopSignal;
import io.embed4j.batch.Vectors;
import io.embed4j.ffm.GgufFile;
import io.embed4j.ffm.NativeModel;
import io.embed4j.ffm.SystemInfo;
import io.embed4j.model.ModelFiles;
import io.embed4j.model.TextFile;
import io.embed4j.pooling.Matryoshka;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An open model. Thread-safe, from platform and virtual threads alike: texts are tokenised and pictures
 * decoded in the calling thread, batches take turns on the model's own worker threads, fairly. With {@code cuda:all} the
 * batches of one list and of several callers run side by side, one per GPU.
 *
 * {@snippet :
 * try (EmbeddingModel model = EmbeddingModel.open(Path.of("model"))) {
 *   DenseEmbedding query = model.embed(EmbeddingRequest.text("Which planet is red?")).dense();
 *   DenseEmbedding passage = model.embed(EmbeddingRequest.text("Mars is red.").prompt(Prompt.PASSAGE)).dense();
 *   System.out.println(query.cosine(passage));
 * }
 * }
 *
 * <p>On the CPU an item's vector does not depend on what else is in its batch, on its place there or on the number of
 * threads: it is the same bit for bit on the same CPU tier.
 */
public final class EmbeddingModel implements AutoCloseable {
  /** The most tokens of one text, prompt included: the checkpoint's published context length. */
  public static final int MAX_TOKENS = 32_768;

  private static final Logger LOG = LoggerFactory.getLogger(EmbeddingModel.class);

  private final ModelInfo info;
  private final RuntimeInfo runtime;
  private final Engine engine;
  private final Matryoshka sizes;
  private final Preparation preparation;
  private final int maxBatchTokens;

  private EmbeddingModel(ModelFiles files, ModelOptions options, Matryoshka sizes, Preparation preparation, Engine engine,
      SystemInfo system) {
    this.info = files.info();
    this.engine = engine;
    this.sizes = sizes;
    this.preparation = preparation;
    this.maxBatchTokens = options.maxBatchTokens();
    this.runtime = new RuntimeInfo(system.cpuTier(), system.cpuTiers(), engine.info().numThreads(),
        engine.info().weightBytes(), system.libraryVersion(), engine.info().device(), engine.info().numDevices());
  }

  /** Opens a model with {@link ModelOptions#defaults}. */
  public static EmbeddingModel open(Path path) {
    return open(path, ModelOptions.defaults());
  }

  /**
   * Opens a model.
   *
   * @param path a directory written by {@code embed4j convert}, or a lone text GGUF
   * @throws EmbeddingException {@link EmbeddingException#IO_ERROR}, {@link EmbeddingException#BAD_MODEL} or
   *     {@link EmbeddingException#UNSUPPORTED} naming file and field, {@link EmbeddingException#OUT_OF_MEMORY},
   *     {@link EmbeddingException#NATIVE_LIBRARY}, {@link EmbeddingException#DEVICE_UNAVAILABLE}
   */
  public static EmbeddingModel open(Path path, ModelOptions options) {
    SystemInfo system = SystemInfo.read();
    ModelFiles files = ModelFiles.read(path);
    if (options.mergedTask() != null && !files.adapters().isEmpty()) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT,
          "mergedTask is for a text GGUF without adapters, but " + path + " has adapters for " + files.info().tasks());
    }
    Matryoshka sizes = new Matryoshka(files.info().matryoshkaDims());
    // The vocabulary's tables are made while the weights come in.
    CompletableFuture<Preparation> preparing = CompletableFuture.supplyAsync(() -> preparation(files, options, sizes),
        task -> Thread.ofPlatform().daemon().name("embed4j-open").start(task));
    Engine engine;
    try {
      engine = new Engine(new NativeModel.Params(options.threads(), files.text(), files.vision(), files.multiVector(),
          List.copyOf(files.adapters().values()), options.device(), options.precision()));
    } catch (RuntimeException | Error e) {
      preparing.exceptionally(alsoFailed -> null).join(); // it reads the files, which are the caller's again
      throw e;
    }
    Preparation preparation;
    try {
      preparation = preparing.join();
    } catch (CompletionException e) {
      engine.close();
      throw rethrown(e.getCause());
    }
    EmbeddingModel model = new EmbeddingModel(files, options, sizes, preparation, engine, system);
    LOG.info("opened {} ({}) on {}", path, model.info.name(), model.runtime.device());
    if (!engine.info().deviceNote().isEmpty()) {
      LOG.warn("no GPU is used, the model runs on {}: {}", model.runtime.device(), engine.info().deviceNote());
    }
    return model;
  }

  private static Preparation preparation(ModelFiles files, ModelOptions options, Matryoshka sizes) {
    try (GgufFile text = GgufFile.open(files.text())) {
      return new Preparation(files, options, new TextFile(text).tokenizer(), sizes);
    }
  }

  /** What a task of this class failed with, unchecked. */
  private static RuntimeException rethrown(Throwable cause) {
    if (cause instanceof RuntimeException runtime) return runtime;
    if (cause instanceof Error error) throw error;
    return new IllegalStateException(cause);
  }

  /** What the files say of the model. */
  public ModelInfo info() {
    return info;
  }

  /** How it runs here. */
  public RuntimeInfo runtime() {
    return runtime;
  }

  /**
   * Embeds one text, picture or page.
   *
   * @throws EmbeddingException of the request, or {@link EmbeddingException#CANCELLED} when interrupted while waiting
   * @throws IllegalStateException when the model is closed
   */
  public Embedding embed(EmbeddingRequest request) {
    PreparedRequest prepared = prepare(request);
    return embedding(prepared, engine.run(List.of(prepared.sequence()), false, new StopSignal()).getFirst());
  }

  /**
   * Does all of a request's work that is not the model's: checks it, tokenises its text or decodes its picture, in the
   * calling thread.
   *
   * @throws EmbeddingException of the request
   * @throws IllegalStateException when the model is closed
   */
  public PreparedRequest prepare(EmbeddingRequest request) {
    engine.checkOpen();
    return preparation.prepare(request);
  }

  /**
   * Embeds requests that this model prepared, packed into batches of {@link ModelOptions#maxBatchTokens} in their order.
   *
   * @return one outcome per request, in order
   * @throws EmbeddingException {@link EmbeddingException#CANCELLED} when interrupted while waiting
   * @throws IllegalArgumentException when another model prepared one of them
   * @throws IllegalStateException when the model is closed
   */
  public List<Outcome> embedPrepared(List<PreparedRequest> requests) {
    return embedPrepared(requests, Priority.NORMAL, new Cancellation());
  }

  /**
   * Embeds requests that this model prepared, as {@link #embedPrepared(List)} does, in a way that can be stopped.
   *
   * @param cancellation ends the call as a whole: outcomes of batches that are done are lost
   * @return one outcome per request, in order
   * @throws EmbeddingException {@link EmbeddingException#CANCELLED} when cancelled, or interrupted while waiting; an
   *     interrupt does not end a batch that runs, it is left to be seen after it
   * @throws IllegalArgumentException when another model prepared one of them
   * @throws IllegalStateException when the model is closed
   */
  public List<Outcome> embedPrepared(List<PreparedRequest> requests, Priority priority, Cancellation cancellation) {
    engine.checkOpen();
    for (PreparedRequest request : requests) {
      if (request.owner() != preparation) throw new IllegalArgumentException("another model prepared the request");
    }
    Packing packing = new Packing(requests.size(), priority, cancellation.signal());
    for (int i = 0; i < requests.size(); i++) packing.add(i, requests.get(i));
    return packing.finish();
  }

  /**
   * Embeds many texts, pictures and pages, which may differ in everything; packed into batches of
   * {@link ModelOptions#maxBatchTokens}. Pictures are decoded as their batch comes up, so that memory is bounded.
   *
   * @return one outcome per request, in order: a request that fails leaves the others alone
   * @throws EmbeddingException {@link EmbeddingException#CANCELLED} when interrupted while waiting
   * @throws IllegalStateException when the model is closed
   */
  public List<Outcome> embedAll(List<EmbeddingRequest> requests) {
    engine.checkOpen();
    Packing packing = new Packing(requests.size(), Priority.NORMAL, new StopSignal());
    for (int i = 0; i < requests.size(); i++) {
      try {
        packing.add(i, preparation.prepare(requests.get(i)));
      } catch (EmbeddingException e) {
        packing.fail(i, e);
      }
    }
    return packing.finish();
  }

  /**
   * Checks everything about a request but its text or picture: what this returns from, a batch of such requests will not
   * trip over.
   *
   * @throws EmbeddingException as {@link #embed} would
   */
  public void check(EmbeddingRequest request) {
    preparation.check(request);
  }

  /**
   * Closes the model and frees its memory; calls that wait or run get {@link IllegalStateException}, those running are
   * cancelled and waited for. Closing twice is a no-op.
   */
  @Override
  public void close() {
    engine.close();
  }

  /** Requests on their way into batches, and what became of them. */
  private final class Packing {
    private final Outcome[] outcomes;
    private final boolean inBackground;
    private final StopSignal stop;
    private final Deque<FutureTask<Void>> running = new ArrayDeque<>(); // beside this thread, when there are several devices
    private List<Integer> places = new ArrayList<>();
    private List<PreparedRequest> batch = new ArrayList<>();
    private long tokens;

    Packing(int requests, Priority priority, StopSignal stop) {
      this.outcomes = new Outcome[requests];
      this.inBackground = priority == Priority.BACKGROUND;
      this.stop = stop;
    }

    void fail(int place, EmbeddingException e) {
      outcomes[place] = new Outcome.Failure(e);
    }

    /** Runs what was added before when the request does not fit beside it. */
    void add(int place, PreparedRequest request) {
      if (tokens + request.tokens() > maxBatchTokens) flush();
      batch.add(request);
      places.add(place);
      tokens += request.tokens();
    }

    List<Outcome> finish() {
      flush();
      while (!running.isEmpty()) join(running.remove());
      return Arrays.asList(outcomes);
    }

    private void flush() {
      List<PreparedRequest> full = batch;
      List<Integer> at = places;
      batch = new ArrayList<>();
      places = new ArrayList<>();
      tokens = 0;
      if (full.isEmpty()) return;
      if (runtime.devices() == 1) {
        run(full, at);
        return;
      }
      if (running.size() == runtime.devices()) join(running.remove());
      FutureTask<Void> task = new FutureTask<>(() -> run(full, at), null);
      running.add(task);
      Thread.ofVirtual().name("embed4j-batch").start(task);
    }

    /** Waits for a batch. When it failed, or this thread is interrupted, the others stop waiting for their turn. */
    private void join(FutureTask<Void> task) {
      try {
        task.get();
        return;
      } catch (InterruptedException e) {
        task.cancel(true);
        stopAll();
        Thread.currentThread().interrupt();
        throw new EmbeddingException(EmbeddingException.CANCELLED, "interrupted while waiting for the model", e);
      } catch (ExecutionException e) {
        stopAll();
        throw rethrown(e.getCause());
      }
    }

    private void stopAll() {
      for (FutureTask<Void> task : running) task.cancel(true);
    }

    /** One batch; when it fails as a whole, each of its items alone, so that only those at fault are lost. */
    private void run(List<PreparedRequest> batch, List<Integer> places) {
      try {
        List<Vectors> vectors = engine.run(batch.stream().map(PreparedRequest::sequence).toList(), inBackground, stop);
        for (int i = 0; i < batch.size(); i++) {
          outcomes[places.get(i)] = new Outcome.Success(embedding(batch.get(i), vectors.get(i)));
        }
      } catch (EmbeddingException e) {
        if (e.code().equals(EmbeddingException.CANCELLED)) throw e;
        if (batch.size() == 1) {
          fail(places.getFirst(), e);
          return;
        }
        LOG.warn("a batch of {} items failed, running each alone: {}", batch.size(), e.getMessage());
        for (int i = 0; i < batch.size(); i++) run(batch.subList(i, i + 1), places.subList(i, i + 1));
      }
    }
  }

  private Embedding embedding(PreparedRequest prepared, Vectors vectors) {
    if (prepared.multiVector()) return new MultiVectorEmbedding(vectors.rows(), info.multiVectorDim(), prepared.usage());
    if (!prepared.chunked()) return dense(prepared, vectors.pooled().getFirst(), prepared.usage());
    List<DenseEmbedding> chunks = new ArrayList<>();
    for (int i = 0; i < vectors.pooled().size(); i++) {
      int tokens = prepared.sequence().pooled().get(i).length();
      chunks.add(dense(prepared, vectors.pooled().get(i), new Usage(tokens, false, Optional.empty())));
    }
    return new ChunkedEmbedding(chunks, prepared.usage().tokens());
  }

  private DenseEmbedding dense(PreparedRequest prepared, float[] mean, Usage usage) {
    float[] vector = prepared.normalized() ? Matryoshka.scaleToUnit(mean) : mean;
    return new DenseEmbedding(vector, prepared.normalized(), sizes, usage);
  }
}
