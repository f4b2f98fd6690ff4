package io.embed4j;

import io.embed4j.batch.Engine;
import io.embed4j.batch.Packing;
import io.embed4j.batch.Sequence;
import io.embed4j.ffm.GgufFile;
import io.embed4j.ffm.NativeModel;
import io.embed4j.ffm.SystemInfo;
import io.embed4j.model.ModelFiles;
import io.embed4j.model.TextFile;
import io.embed4j.pooling.Matryoshka;
import io.embed4j.prompt.TextPrompt;
import io.embed4j.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An open model. Thread-safe, from platform and virtual threads alike: texts are tokenised in the calling thread, batches
 * take turns on the model's own worker threads, fairly.
 *
 * {@snippet :
 * try (EmbeddingModel model = EmbeddingModel.open(Path.of("model"))) {
 *   DenseEmbedding query = model.embed(EmbeddingRequest.text("Which planet is red?")).dense();
 *   DenseEmbedding passage = model.embed(EmbeddingRequest.text("Mars is red.").prompt(Prompt.PASSAGE)).dense();
 *   System.out.println(query.cosine(passage));
 * }
 * }
 *
 * <p>On the CPU a text's vector does not depend on what else is in its batch, on its place there or on the number of
 * threads: it is the same bit for bit on the same CPU tier.
 */
public final class EmbeddingModel implements AutoCloseable {
  /** The most tokens of one text, prompt included: the checkpoint's published context length. */
  public static final int MAX_TOKENS = 32_768;

  private static final Logger LOG = LoggerFactory.getLogger(EmbeddingModel.class);

  private final ModelInfo info;
  private final RuntimeInfo runtime;
  private final Tokenizer tokenizer;
  private final Engine engine;
  private final Matryoshka sizes;
  /** The tasks in the order of the native model's adapters; empty for a lone text file. */
  private final List<Task> adapters;
  private final Optional<Task> mergedTask;
  private final int maxBatchTokens;

  private EmbeddingModel(ModelFiles files, ModelOptions options, Tokenizer tokenizer, Engine engine, SystemInfo system) {
    this.info = files.info();
    this.tokenizer = tokenizer;
    this.engine = engine;
    this.sizes = new Matryoshka(info.matryoshkaDims());
    this.adapters = List.copyOf(files.adapters().keySet());
    this.mergedTask = Optional.ofNullable(options.mergedTask()).or(info::mergedTask);
    this.maxBatchTokens = options.maxBatchTokens();
    this.runtime = new RuntimeInfo(system.cpuTier(), system.cpuTiers(), engine.info().numThreads(),
        engine.info().weightBytes(), system.libraryVersion());
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
   *     {@link EmbeddingException#NATIVE_LIBRARY}
   */
  public static EmbeddingModel open(Path path, ModelOptions options) {
    SystemInfo system = SystemInfo.read();
    ModelFiles files = ModelFiles.read(path);
    if (options.mergedTask() != null && !files.adapters().isEmpty()) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT,
          "mergedTask is for a text GGUF without adapters, but " + path + " has adapters for " + files.info().tasks());
    }
    Tokenizer tokenizer;
    try (GgufFile text = GgufFile.open(files.text())) {
      tokenizer = new TextFile(text).tokenizer();
    }
    Engine engine = new Engine(new NativeModel.Params(options.threads(), files.text(), null, files.multiVector(),
        List.copyOf(files.adapters().values())));
    EmbeddingModel model = new EmbeddingModel(files, options, tokenizer, engine, system);
    LOG.info("opened {} ({}), CPU tier {}, {} threads", path, model.info.name(), system.cpuTier(), model.runtime.threads());
    return model;
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
   * Embeds one text.
   *
   * @throws EmbeddingException of the request, or {@link EmbeddingException#CANCELLED} when interrupted while waiting
   * @throws IllegalStateException when the model is closed
   */
  public Embedding embed(EmbeddingRequest request) {
    Sequence sequence = sequence(request);
    return embedding(request, sequence, engine.run(List.of(sequence)).getFirst());
  }

  /**
   * Embeds many texts, which may differ in everything; packed into batches of {@link ModelOptions#maxBatchTokens}.
   *
   * @return one outcome per request, in order: a request that fails leaves the others alone
   * @throws EmbeddingException {@link EmbeddingException#CANCELLED} when interrupted while waiting
   * @throws IllegalStateException when the model is closed
   */
  public List<Outcome> embedAll(List<EmbeddingRequest> requests) {
    engine.checkOpen();
    Outcome[] outcomes = new Outcome[requests.size()];
    List<Integer> places = new ArrayList<>();
    List<Sequence> sequences = new ArrayList<>();
    for (int i = 0; i < outcomes.length; i++) {
      try {
        sequences.add(sequence(requests.get(i)));
        places.add(i);
      } catch (EmbeddingException e) {
        outcomes[i] = new Outcome.Failure(e);
      }
    }
    int done = 0;
    for (List<Sequence> batch : Packing.batches(sequences, maxBatchTokens)) {
      List<Outcome> results = run(batch, places.subList(done, done + batch.size()), requests);
      for (Outcome result : results) outcomes[places.get(done++)] = result;
    }
    return Arrays.asList(outcomes);
  }

  /**
   * Closes the model and frees its memory; calls that wait or run get {@link IllegalStateException}, the one running ends
   * at its next layer and is waited for. Closing twice is a no-op.
   */
  @Override
  public void close() {
    engine.close();
  }

  /** One batch; when it fails as a whole, each of its items alone, so that only those at fault are lost. */
  private List<Outcome> run(List<Sequence> batch, List<Integer> places, List<EmbeddingRequest> requests) {
    List<Outcome> outcomes = new ArrayList<>(batch.size());
    try {
      List<float[]> vectors = engine.run(batch);
      for (int i = 0; i < batch.size(); i++) {
        outcomes.add(new Outcome.Success(embedding(requests.get(places.get(i)), batch.get(i), vectors.get(i))));
      }
      return outcomes;
    } catch (EmbeddingException e) {
      if (e.code().equals(EmbeddingException.CANCELLED)) throw e;
      if (batch.size() == 1) return List.of(new Outcome.Failure(e));
      LOG.warn("a batch of {} texts failed, running each alone: {}", batch.size(), e.getMessage());
      for (int i = 0; i < batch.size(); i++) {
        outcomes.addAll(run(batch.subList(i, i + 1), places.subList(i, i + 1), requests));
      }
      return outcomes;
    }
  }

  /**
   * Checks everything about a request but its text: what this returns from, a batch of such requests will not trip over.
   *
   * @throws EmbeddingException as {@link #embed} would
   */
  public void check(EmbeddingRequest request) {
    adapter(request.task());
    if (request.multiVector()) {
      if (info.multiVectorDim() == 0) throw unsupported("multi-vector output", "multivector.gguf");
      if (request.dimensions() != 0) {
        throw invalid("dimensions is " + request.dimensions() + ", but multi-vector rows have one size only, "
            + info.multiVectorDim());
      }
    } else if (request.dimensions() != 0) {
      sizes.check(request.dimensions(), info.hiddenSize());
    }
    limit(request);
  }

  /** Checks the request against the model and tokenises it. */
  private Sequence sequence(EmbeddingRequest request) {
    engine.checkOpen();
    check(request);
    int adapter = adapter(request.task());
    int limit = limit(request);
    int[] ids = tokenizer.encode(
        TextPrompt.of(request.task(), request.prompt(), request.text()), request.specialTokens());
    if (ids.length > limit) {
      if (!request.truncate()) {
        throw new EmbeddingException(EmbeddingException.TOO_LONG, "the text has " + ids.length
            + " tokens with its prompt, the limit is " + limit + "; ask for truncation to embed its first " + limit);
      }
      return new Sequence(Arrays.copyOf(ids, limit), adapter, request.multiVector(), true);
    }
    return new Sequence(ids, adapter, request.multiVector(), false);
  }

  private int limit(EmbeddingRequest request) {
    int most = Math.min(MAX_TOKENS, info.maxPositionEmbeddings());
    if (request.maxTokens() < 0 || request.maxTokens() > most) {
      throw invalid("maxTokens is " + request.maxTokens() + ", expected 1 .. " + most + ", or 0 for that limit");
    }
    return request.maxTokens() == 0 ? most : request.maxTokens();
  }

  private int adapter(Task task) {
    int index = adapters.indexOf(task);
    if (index >= 0) return index;
    if (!adapters.isEmpty()) throw unsupported("the task " + task, ModelFiles.adapterName(task));
    if (mergedTask.isEmpty()) {
      throw new EmbeddingException(EmbeddingException.UNSUPPORTED, info.path() + " has no adapters, and its name does not "
          + "say which task is merged into its weights: open the whole converted directory, or name the task when opening "
          + "it (ModelOptions.mergedTask, --merged-task)");
    }
    if (mergedTask.get() != task) {
      throw new EmbeddingException(EmbeddingException.UNSUPPORTED, "the task " + task + " is not served: " + info.path()
          + " has no adapters and serves " + mergedTask.get() + ", which is merged into its weights");
    }
    return -1;
  }

  private EmbeddingException unsupported(String what, String file) {
    return new EmbeddingException(EmbeddingException.UNSUPPORTED,
        what + " is not available: " + info.path() + " comes without " + file);
  }

  private static EmbeddingException invalid(String message) {
    return new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, message);
  }

  private Embedding embedding(EmbeddingRequest request, Sequence sequence, float[] vectors) {
    int tokens = sequence.tokenIds().length;
    if (request.multiVector()) {
      return new MultiVectorEmbedding(vectors, info.multiVectorDim(), tokens, sequence.truncated());
    }
    int dimensions = request.dimensions() == 0 ? info.hiddenSize() : request.dimensions();
    return new DenseEmbedding(Matryoshka.unit(vectors, dimensions), sizes, tokens, sequence.truncated());
  }
}
