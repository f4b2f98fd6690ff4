package io.embed4j.convert;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A checkpoint as it is published: config.json, model.safetensors or shards with an index, adapters/, a tokenizer and
 * preprocessor_config.json. Tensor names may be of either style, the adapters' of another than the model's.
 */
final class CheckpointDirectory implements Checkpoint {
  private static final Pattern ADAPTER = Pattern.compile("base_model\\.model\\.(.+)\\.lora_([AB])\\.(.+)\\.weight");

  private final Path directory;
  private final ModelConfig config;
  private final Preprocessing preprocessing;
  private final Vocabulary vocabulary;
  private final Optional<AdapterConfig> adapterConfig;
  private final List<SafetensorsFile> files = new ArrayList<>();
  private final Map<String, CheckpointTensor> tensors = new LinkedHashMap<>();
  private final Map<String, CheckpointTensor> adapterTensors = new LinkedHashMap<>();

  CheckpointDirectory(Path directory) {
    if (!Files.isDirectory(directory)) throw Failure.invalid(directory + " is not a directory");
    this.directory = directory;
    config = ModelConfig.of(JsonObject.read(directory.resolve("config.json")));
    preprocessing = Preprocessing.of(imageSettings(directory), config.vision());
    vocabulary = TokenizerFiles.read(directory, config.text());
    Path adapters = directory.resolve("adapters");
    boolean adapted = Files.isDirectory(adapters);
    if (!adapted && config.published()) {
      throw Failure.bad(directory.toString(), "the directory adapters is missing; " + ModelConfig.PUBLISHED
          + " in config.json has one adapter per task there");
    }
    adapterConfig = adapted
        ? Optional.of(AdapterConfig.of(JsonObject.read(adapters.resolve("adapter_config.json"))))
        : Optional.empty();
    try {
      for (Path file : modelFiles(directory)) add(file, CheckpointDirectory::flat, tensors);
      if (adapted) add(adapters.resolve("adapter_model.safetensors"), this::flatAdapter, adapterTensors);
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /** A checkpoint with the adapters merged is told apart only by the name of its directory. */
  @Override
  public String name() {
    if (config.published()) return ModelConfig.PUBLISHED_NAME;
    return String.valueOf(directory.toAbsolutePath().normalize().getFileName());
  }

  @Override
  public String where() {
    return directory.toString();
  }

  @Override
  public ModelConfig config() {
    return config;
  }

  @Override
  public Preprocessing preprocessing() {
    return preprocessing;
  }

  @Override
  public Vocabulary vocabulary() {
    return vocabulary;
  }

  @Override
  public Optional<AdapterConfig> adapterConfig() {
    return adapterConfig;
  }

  @Override
  public Map<String, CheckpointTensor> tensors() {
    return tensors;
  }

  @Override
  public Map<String, CheckpointTensor> adapterTensors() {
    return adapterTensors;
  }

  @Override
  public void close() {
    files.forEach(SafetensorsFile::close);
  }

  /** Newer library versions keep the image settings in processor_config.json. */
  private static JsonObject imageSettings(Path directory) {
    Path processor = directory.resolve("processor_config.json");
    if (!Files.exists(directory.resolve("preprocessor_config.json")) && Files.exists(processor)) {
      return JsonObject.read(processor).object("image_processor");
    }
    return JsonObject.read(directory.resolve("preprocessor_config.json"));
  }

  private static List<Path> modelFiles(Path directory) {
    Path single = directory.resolve("model.safetensors");
    Path index = directory.resolve("model.safetensors.index.json");
    if (Files.exists(index)) return SafetensorsIndex.read(index).files();
    if (Files.exists(single)) return List.of(single);
    throw Failure.bad(directory.toString(), "no weights: expected model.safetensors or model.safetensors.index.json");
  }

  private void add(Path path, UnaryOperator<String> flat, Map<String, CheckpointTensor> to) {
    SafetensorsFile file = SafetensorsFile.open(path);
    files.add(file);
    file.tensors().forEach((name, tensor) -> {
      CheckpointTensor other = to.put(flat.apply(name), tensor);
      if (other != null) {
        throw Failure.bad(path.toString(), name + " is the same tensor as " + other.name() + " in " + other.where());
      }
    });
  }

  /** A tensor's name in the flat style. */
  private static String flat(String name) {
    if (name.startsWith("model.language_model.")) return "model." + name.substring("model.language_model.".length());
    return name.startsWith("model.visual.") ? name.substring("model.".length()) : name;
  }

  /** {@code <module>.lora_A.<task>}; beside the task an adapter's name may stand, as PEFT writes it. */
  private String flatAdapter(String name) {
    String where = directory.resolve("adapters").resolve("adapter_model.safetensors").toString();
    Matcher parts = ADAPTER.matcher(name);
    if (!parts.matches()) {
      throw Failure.bad(where, "unknown tensor " + name + ", expected base_model.model.<module>.lora_A.<task>.weight");
    }
    List<String> names = Arrays.asList(parts.group(3).split("\\.", -1));
    List<String> tasks = config.taskNames().isEmpty() && names.size() == 1
        ? names
        : names.stream().filter(config.taskNames()::contains).toList();
    if (tasks.size() != 1 || names.size() > 2) {
      throw Failure.bad(where, name + " names no task, expected one of task_names in config.json: "
          + config.taskNames());
    }
    ModelConfig.requireFileName(where, tasks.getFirst());
    return flat(parts.group(1)) + ".lora_" + parts.group(2) + "." + tasks.getFirst();
  }
}
