package io.embed4j.model;

import io.embed4j.Task;
import io.embed4j.ffm.GgufFile;
import io.embed4j.ffm.GgufValue;
import io.embed4j.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/** The text file of a model: sizes, tokenizer and what it says of its tasks. Keys are llama.cpp's unless embed4j.*. */
public final class TextFile {
  private static final List<Integer> FAMILY_DIMS = List.of(128, 256, 512, 1024, 2048);

  private final GgufFile file;
  private final GgufKeys keys;

  /** Checks that it is a text model of the family. */
  public TextFile(GgufFile file) {
    this.file = file;
    this.keys = new GgufKeys(file);
    String architecture = keys.string("general.architecture");
    if (!architecture.equals("qwen2vl")) {
      throw keys.unsupported("has architecture " + architecture + ", expected qwen2vl, the text model of "
          + "jina-embeddings-v4");
    }
  }

  /** The tokenizer; copies what it needs out of the file. */
  public Tokenizer tokenizer() {
    requireQwen2Tokenizer();
    try {
      return Tokenizer.of(
          keys.value("tokenizer.ggml.tokens").strings(),
          keys.value("tokenizer.ggml.token_type").integers(),
          keys.value("tokenizer.ggml.merges").strings());
    } catch (IllegalArgumentException e) {
      throw keys.bad("has an inconsistent tokenizer: " + e.getMessage());
    }
  }

  /** Refuses tokenizers that would be run wrongly. */
  void requireQwen2Tokenizer() {
    String model = keys.string("tokenizer.ggml.model");
    String pre = keys.find("tokenizer.ggml.pre").map(GgufValue::string).orElse("absent");
    if (!model.equals("gpt2") || !pre.equals("qwen2")) {
      throw keys.unsupported("has tokenizer " + model + " with pre-tokenizer " + pre + ", expected gpt2 with qwen2");
    }
  }

  GgufKeys keys() {
    return keys;
  }

  String name() {
    return keys.find("general.name").map(GgufValue::string).orElseGet(() -> file.path().getFileName().toString());
  }

  /** A size under the architecture's prefix. */
  int size(String key) {
    return keys.size("qwen2vl." + key);
  }

  int vocabSize() {
    return Math.toIntExact(keys.value("tokenizer.ggml.tokens").count());
  }

  /** Bytes of the tensors of all layers. */
  long layerBytes() {
    return file.tensors().stream().filter(tensor -> tensor.name().startsWith("blk."))
        .mapToLong(tensor -> tensor.data().byteSize()).sum();
  }

  /** The sizes the file lists, else those of the family that fit. */
  List<Integer> matryoshkaDims(int hiddenSize) {
    Optional<GgufValue> listed = keys.find("embed4j.matryoshka_dims");
    if (listed.isEmpty()) return FAMILY_DIMS.stream().filter(dims -> dims <= hiddenSize).toList();
    List<Integer> dims = Arrays.stream(listed.get().integers()).boxed().sorted().distinct().toList();
    if (dims.isEmpty() || dims.getFirst() < 1 || dims.getLast() > hiddenSize) {
      throw keys.bad("has embed4j.matryoshka_dims " + dims + ", expected sizes of 1 .. " + hiddenSize);
    }
    return dims;
  }

  /** The tasks the converted checkpoint has adapters for; empty for a file that Embed4J did not write. */
  List<Task> listedTasks() {
    String[] names = keys.find("embed4j.task_names").map(GgufValue::strings).orElse(new String[0]);
    List<String> known = Arrays.stream(Task.values()).map(Task::label).toList();
    for (String name : names) {
      if (!known.contains(name)) throw keys.unsupported("lists the task \"" + name + "\", expected only " + known);
    }
    return Arrays.stream(names).map(Task::of).toList();
  }

  /** The task that general.name, general.finetune or the file's name speaks of, when they speak of one only. */
  Optional<Task> mergedTask() {
    String names = String.join(" ", name(),
        keys.find("general.finetune").map(GgufValue::string).orElse(""), file.path().getFileName().toString());
    String words = names.toLowerCase(Locale.ROOT).replaceAll("[-_. ]+", "-");
    List<Task> named = Arrays.stream(Task.values())
        .filter(task -> Pattern.compile("(^|-)" + task.label() + "(-|$)").matcher(words).find()).toList();
    return named.size() == 1 ? Optional.of(named.getFirst()) : Optional.empty();
  }
}
