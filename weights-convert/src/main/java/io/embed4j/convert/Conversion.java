package io.embed4j.convert;

import io.embed4j.EmbeddingException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Turns a checkpoint into a directory of GGUF files: text.gguf, vision.gguf, multivector.gguf and one
 * adapter-&lt;task&gt;.gguf per task. Memory does not grow with the model: rows are read, encoded and written in
 * slices.
 *
 * <p>Set up by one thread, then run once. The files appear together at the end; a run that fails or is interrupted
 * leaves none of them.
 */
public final class Conversion {
  private static final Logger LOG = LoggerFactory.getLogger(Conversion.class);
  private static final Pattern FILES = Pattern.compile("(text|vision|multivector|adapter-[A-Za-z0-9_-]+)\\.gguf");

  private final Supplier<Checkpoint> source;
  private Path out;
  private WeightType type = WeightType.BF16;
  private boolean packed;
  private boolean force;
  private Progress progress = Progress.NONE;
  private int threads = Math.max(1, Math.min(8, Runtime.getRuntime().availableProcessors()));

  private Conversion(Supplier<Checkpoint> source) {
    this.source = source;
  }

  /** Of a checkpoint directory as it is published: config.json, weights, adapters/, tokenizer, image settings. */
  public static Conversion of(Path checkpoint) {
    Objects.requireNonNull(checkpoint);
    return new Conversion(() -> new CheckpointDirectory(checkpoint));
  }

  /** Of computed weights, without writing them as a checkpoint first. */
  public static Conversion of(SynthCheckpoint checkpoint) {
    Objects.requireNonNull(checkpoint);
    return new Conversion(checkpoint::open);
  }

  /** Where the files go; made if missing, refused if it holds anything unless forced. Required. */
  public Conversion to(Path directory) {
    out = Objects.requireNonNull(directory);
    return this;
  }

  /** What the weights are stored as; bf16 unless set. */
  public Conversion type(WeightType weights) {
    type = Objects.requireNonNull(weights);
    return this;
  }

  /**
   * Writes the matrices in the order in which the CPU's products read them, so that a model opens without a copy of its
   * own and processes share one. No other program reads such files, nor does a GPU.
   */
  public Conversion packed(boolean inPanels) {
    packed = inPanels;
    return this;
  }

  /** Allows a directory that is not empty: model files in it are replaced, other files stay. */
  public Conversion force(boolean allowed) {
    force = allowed;
    return this;
  }

  /** Who is told how far it is. */
  public Conversion progress(Progress listener) {
    progress = Objects.requireNonNull(listener);
    return this;
  }

  /** Threads that encode, at least 1; the machine's processors, at most 8, unless set. */
  public Conversion threads(int count) {
    if (count < 1) throw Failure.invalid("threads is " + count + ", expected at least 1");
    threads = count;
    return this;
  }

  /**
   * Converts. Interrupting the calling thread ends it.
   *
   * @return the files, text.gguf last
   * @throws EmbeddingException bad_model: a broken file, an unknown, missing or mis-shaped tensor; unsupported: a
   *     setting that changes arithmetic and is not implemented; invalid_argument: a directory that cannot be used;
   *     io_error: reading or writing failed, the disk is full; cancelled: the thread was interrupted
   */
  public List<Path> run() {
    if (out == null) throw Failure.invalid("no output directory is set");
    try (Checkpoint checkpoint = source.get()) {
      List<FileContents> files = contents(checkpoint);
      long bytes = files.stream().mapToLong(FileContents::bytes).sum();
      try (OutputDirectory directory = new OutputDirectory(out, FILES.asMatchPredicate(), force)) {
        directory.requireSpace(bytes);
        SliceWriter writer = new SliceWriter(threads, progress, bytes);
        for (FileContents file : files) writer.write(file, directory.partial(file.name()));
        if (Thread.currentThread().isInterrupted()) throw Failure.cancelled();
        return directory.publish(TextFile.NAME);
      }
    }
  }

  /** Everything is looked up and checked before the first byte is written. */
  private List<FileContents> contents(Checkpoint checkpoint) {
    TensorSelection tensors = new TensorSelection(checkpoint.where(), checkpoint.tensors());
    TensorSelection adapters = new TensorSelection(checkpoint.where() + ": adapters", checkpoint.adapterTensors());
    checkpoint.config().tokens().requireIn(checkpoint.where() + ": config.json", checkpoint.vocabulary());
    List<String> tasks = tasks(checkpoint);
    List<GgufContents> files = new ArrayList<>();
    files.add(TextFile.contents(checkpoint, tensors, type, tasks));
    files.add(VisionFile.contents(checkpoint, tensors, type));
    MultiVectorFile.contents(checkpoint, tensors, adapters, type, tasks).ifPresentOrElse(files::add,
        () -> LOG.info("the checkpoint has no multi-vector head: the model will give dense vectors only"));
    checkpoint.adapterConfig().ifPresent(config -> {
      for (String task : tasks) files.add(AdapterFile.contents(checkpoint, config, adapters, type, task));
    });
    skipOutput(checkpoint.config().text(), tensors);
    tensors.requireAllTaken();
    adapters.requireAllTaken();
    return files.stream().map(file -> packed ? file.inPanels() : file.inRows()).toList();
  }

  private static List<String> tasks(Checkpoint checkpoint) {
    if (checkpoint.adapterConfig().isEmpty()) {
      LOG.info("the checkpoint has no adapters: its weights serve the one task they were merged for");
      return List.of();
    }
    if (!checkpoint.config().taskNames().isEmpty()) return checkpoint.config().taskNames();
    return checkpoint.adapterTensors().keySet().stream()
        .map(name -> name.substring(name.lastIndexOf('.') + 1))
        .distinct()
        .sorted()
        .toList();
  }

  /** An output matrix is of no use to embeddings, and config.json has said that it repeats the embedding. */
  private static void skipOutput(TextConfig text, TensorSelection tensors) {
    if (!tensors.has("lm_head.weight")) return;
    tensors.take("lm_head.weight", text.vocabSize(), text.hiddenSize());
    LOG.info("lm_head.weight is left out: it repeats the embedding (tie_word_embeddings)");
  }
}
