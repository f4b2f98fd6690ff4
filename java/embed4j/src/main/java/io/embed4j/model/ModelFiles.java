package io.embed4j.model;

import io.embed4j.EmbeddingException;
import io.embed4j.ModelInfo;
import io.embed4j.ModelInfo.FileInfo;
import io.embed4j.Task;
import io.embed4j.ffm.GgufFile;
import io.embed4j.ffm.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The files of a model: a directory as the converter writes it, or a lone text GGUF.
 *
 * @param text always there
 * @param vision or null
 * @param multiVector or null
 * @param adapters by task, in the order of {@link Task}
 * @param info what they say
 */
public record ModelFiles(Path text, Path vision, Path multiVector, Map<Task, Path> adapters, ModelInfo info) {
  private static final String TEXT = "text.gguf";
  private static final String VISION = "vision.gguf";
  private static final String MULTIVECTOR = "multivector.gguf";

  /** The file name of a task's adapter. */
  public static String adapterName(Task task) {
    return "adapter-" + task.label() + ".gguf";
  }

  /** The text file of a model path. */
  public static Path textPath(Path path) {
    Path text = Files.isDirectory(path) ? path.resolve(TEXT) : path;
    if (!Files.exists(text)) {
      throw new EmbeddingException(EmbeddingException.IO_ERROR, text + " does not exist: expected a directory written by "
          + "`embed4j convert`, or a text GGUF");
    }
    if (!Files.isReadable(text)) throw new EmbeddingException(EmbeddingException.IO_ERROR, text + " is not readable");
    return text;
  }

  /** Finds the files and checks that they are what their names say and fit together. */
  public static ModelFiles read(Path path) {
    Path text = textPath(path);
    Path vision = null;
    Path multiVector = null;
    Map<Task, Path> adapters = new EnumMap<>(Task.class);
    if (Files.isDirectory(path)) {
      for (Path file : ggufFiles(path)) {
        String name = file.getFileName().toString();
        Optional<Task> task = Stream.of(Task.values()).filter(t -> name.equals(adapterName(t))).findFirst();
        if (task.isPresent()) adapters.put(task.get(), file);
        else if (name.equals(VISION)) vision = file;
        else if (name.equals(MULTIVECTOR)) multiVector = file;
        else if (!name.equals(TEXT)) throw unknown(file);
      }
    }
    try (GgufFile file = GgufFile.open(text)) {
      TextFile textFile = new TextFile(file);
      textFile.requireQwen2Tokenizer();
      if (Files.isDirectory(path)) requireAdapters(path, textFile.listedTasks(), adapters);
      int hiddenSize = textFile.size("embedding_length");
      List<FileInfo> files = new ArrayList<>(List.of(fileInfo("text", file)));
      if (vision != null) files.add(vision(vision, hiddenSize));
      int multiVectorDim = multiVector == null ? 0 : multiVector(multiVector, hiddenSize, files);
      adapters.forEach((task, adapter) -> files.add(adapter(adapter, task, hiddenSize)));
      Optional<Task> merged = adapters.isEmpty() ? textFile.mergedTask() : Optional.empty();
      List<Task> tasks = adapters.isEmpty() ? merged.stream().toList() : List.copyOf(adapters.keySet());
      return new ModelFiles(text, vision, multiVector, adapters, info(path, textFile, hiddenSize, multiVectorDim, tasks,
          merged, List.copyOf(files)));
    }
  }

  private static void requireAdapters(Path directory, List<Task> listed, Map<Task, Path> adapters) {
    for (Task task : listed) {
      if (adapters.containsKey(task)) continue;
      throw new EmbeddingException(EmbeddingException.BAD_MODEL, directory + " has no " + adapterName(task)
          + ", but its " + TEXT + " lists the task " + task + ": convert the checkpoint again, or copy the file back");
    }
  }

  private static List<Path> ggufFiles(Path directory) {
    try (Stream<Path> files = Files.list(directory)) {
      return files.filter(file -> file.getFileName().toString().endsWith(".gguf")).sorted().toList();
    } catch (IOException e) {
      throw new EmbeddingException(EmbeddingException.IO_ERROR, directory + " cannot be listed: " + e, e);
    }
  }

  private static EmbeddingException unknown(Path file) {
    return new EmbeddingException(EmbeddingException.BAD_MODEL, file + " is no file of a model directory, expected only "
        + String.join(", ", TEXT, VISION, MULTIVECTOR)
        + Stream.of(Task.values()).map(task -> ", " + adapterName(task)).reduce("", String::concat));
  }

  private static FileInfo vision(Path path, int hiddenSize) {
    try (GgufFile file = GgufFile.open(path)) {
      GgufKeys keys = new GgufKeys(file);
      keys.require("general.architecture", "clip");
      requireHidden(keys, "clip.vision.projection_dim", keys.size("clip.vision.projection_dim"), hiddenSize);
      return fileInfo("vision", file);
    }
  }

  private static int multiVector(Path path, int hiddenSize, List<FileInfo> files) {
    try (GgufFile file = GgufFile.open(path)) {
      GgufKeys keys = new GgufKeys(file);
      keys.require("general.architecture", "embed4j-multivector");
      GgufFile.Tensor weight = file.tensors().stream().filter(t -> t.name().equals("multivector.weight")).findFirst()
          .orElseThrow(() -> keys.bad("has no tensor multivector.weight"));
      requireHidden(keys, "multivector.weight columns", weight.shape().getFirst(), hiddenSize);
      files.add(fileInfo("multivector", file));
      return keys.size("embed4j.multivector_dim");
    }
  }

  private static FileInfo adapter(Path path, Task task, int hiddenSize) {
    try (GgufFile file = GgufFile.open(path)) {
      GgufKeys keys = new GgufKeys(file);
      keys.require("general.architecture", "qwen2vl");
      keys.require("general.type", "adapter");
      keys.require("adapter.type", "lora");
      keys.require("embed4j.task", task.label());
      file.tensors().stream().filter(t -> t.name().equals("blk.0.attn_q.weight.lora_a")).findFirst()
          .ifPresent(t -> requireHidden(keys, t.name() + " columns", t.shape().getFirst(), hiddenSize));
      return fileInfo("adapter-" + task.label(), file);
    }
  }

  private static void requireHidden(GgufKeys keys, String what, long found, int hiddenSize) {
    if (found != hiddenSize) {
      throw keys.bad("has " + what + " " + found + ", expected " + hiddenSize + ", the hidden_size of " + TEXT
          + ": the files are of different models");
    }
  }

  private static FileInfo fileInfo(String role, GgufFile file) {
    Map<String, Integer> types = new TreeMap<>();
    long parameters = 0;
    for (GgufFile.Tensor tensor : file.tensors()) {
      String type = TensorType.of(tensor.typeId()).map(t -> t.name().toLowerCase(Locale.ROOT))
          .orElse("type " + tensor.typeId()) + (tensor.packed() ? " packed" : "");
      types.merge(type, 1, Integer::sum);
      parameters += tensor.shape().stream().mapToLong(Long::longValue).reduce(1, Math::multiplyExact);
    }
    return new FileInfo(role, file.path(), file.info().fileBytes(), parameters, types);
  }

  private static ModelInfo info(Path path, TextFile text, int hiddenSize, int multiVectorDim, List<Task> tasks,
      Optional<Task> merged, List<FileInfo> files) {
    int heads = text.size("attention.head_count");
    return new ModelInfo(text.name(), path, hiddenSize, text.size("feed_forward_length"), text.size("block_count"), heads,
        text.size("attention.head_count_kv"), hiddenSize / heads, text.vocabSize(), text.size("context_length"),
        multiVectorDim, text.layerBytes(), text.matryoshkaDims(hiddenSize), tasks, merged,
        new ModelInfo.TokenizerInfo(text.keys().string("tokenizer.ggml.model"), text.keys().string("tokenizer.ggml.pre"),
            text.vocabSize(), Math.toIntExact(text.keys().value("tokenizer.ggml.merges").count())),
        files);
  }
}
