package io.embed4j.convert;

import io.embed4j.ffm.TensorType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/**
 * A model with computed weights, laid out like the published checkpoint and with the real tokenizer, so that everything
 * can be tried without a download. Its embeddings carry no meaning. Immutable and thread-safe.
 */
public final class SynthCheckpoint {
  private static final String CONFIG = "config.json";
  private static final String WEIGHTS = "model.safetensors";
  private static final String ADAPTER_CONFIG = "adapters/adapter_config.json";
  private static final String ADAPTER_WEIGHTS = "adapters/adapter_model.safetensors";
  private static final String IMAGES = "preprocessor_config.json";
  private static final String TOKENIZER = "tokenizer.json";
  private static final String TOKENIZER_CONFIG = "tokenizer_config.json";
  private static final List<String> FILES =
      List.of(CONFIG, WEIGHTS, ADAPTER_CONFIG, ADAPTER_WEIGHTS, IMAGES, TOKENIZER, TOKENIZER_CONFIG);

  private final SynthConfig config;
  private final String salt;
  private final SynthConfig.Style style;
  /** Contents of the JSON files, by name. */
  private final Map<String, byte[]> json = new LinkedHashMap<>();

  /**
   * @param salt goes into every value; another salt gives another model
   * @param style how names are spelled when it is written; the weights do not depend on it
   */
  public SynthCheckpoint(SynthConfig config, String salt, SynthConfig.Style style) {
    this(config, salt, style, SynthTokenizer.family());
  }

  /** With a tokenizer of another size than the family's. */
  SynthCheckpoint(SynthConfig config, String salt, SynthConfig.Style style, SynthTokenizer tokenizer) {
    this.config = Objects.requireNonNull(config);
    this.salt = Objects.requireNonNull(salt);
    this.style = Objects.requireNonNull(style);
    json.put(CONFIG, SynthSettings.model(config, style, tokenizer));
    json.put(ADAPTER_CONFIG, SynthSettings.adapters());
    json.put(IMAGES, SynthSettings.images());
    json.put(TOKENIZER, tokenizer.json());
    json.put(TOKENIZER_CONFIG, tokenizer.settings());
  }

  /**
   * Writes it as a checkpoint directory, weights in bf16. The files appear together at the end; a run that fails or is
   * interrupted leaves none of them.
   *
   * @param force allows a directory that is not empty: these files are replaced, others stay
   * @return the files, config.json last
   * @throws io.embed4j.EmbeddingException invalid_argument, io_error, cancelled
   */
  public List<Path> write(Path directory, boolean force, Progress progress) {
    FileContents model = contents(WEIGHTS, SynthWeights.model(config, salt), style::restyled);
    FileContents adapters = contents(ADAPTER_WEIGHTS, SynthWeights.adapters(config, salt), this::adapterName);
    long bytes = model.bytes() + adapters.bytes();
    try (OutputDirectory out = new OutputDirectory(directory, FILES::contains, force)) {
      out.requireSpace(bytes + json.values().stream().mapToLong(text -> text.length).sum());
      SliceWriter writer = new SliceWriter(Runtime.getRuntime().availableProcessors(), progress, bytes);
      writer.write(model, out.partial(WEIGHTS));
      writer.write(adapters, out.partial(ADAPTER_WEIGHTS));
      json.forEach((name, text) -> write(out.partial(name), text));
      return out.publish(CONFIG);
    }
  }

  private static FileContents contents(String file, List<SynthTensor> tensors, UnaryOperator<String> name) {
    return SafetensorsContents.of(file, tensors.stream()
        .map(tensor -> OutputTensor.of(name.apply(tensor.name()), TensorType.BF16, tensor))
        .toList());
  }

  private String adapterName(String flat) {
    return "base_model.model." + style.restyled(flat) + ".weight";
  }

  private static void write(Path file, byte[] text) {
    try (FileChannel out = FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)) {
      ByteBuffer buffer = ByteBuffer.wrap(text);
      while (buffer.hasRemaining()) out.write(buffer);
      out.force(true);
    } catch (IOException e) {
      throw Failure.io("write", file, e);
    }
  }

  /** The same model without files. */
  Checkpoint open() {
    ModelConfig parsed = ModelConfig.of(parsed(CONFIG));
    return new Computed(
        parsed,
        Preprocessing.of(parsed(IMAGES), parsed.vision()),
        TokenizerFiles.tokenizerJson(parsed(TOKENIZER), Optional.of(parsed(TOKENIZER_CONFIG)), parsed.text()),
        Optional.of(AdapterConfig.of(parsed(ADAPTER_CONFIG))),
        byName(SynthWeights.model(config, salt)),
        byName(SynthWeights.adapters(config, salt)));
  }

  private JsonObject parsed(String name) {
    return JsonObject.parse(SynthTensor.WHERE + ": " + name, json.get(name));
  }

  private static Map<String, CheckpointTensor> byName(List<SynthTensor> tensors) {
    return tensors.stream().collect(Collectors.toMap(SynthTensor::name, Function.identity()));
  }

  private record Computed(
      ModelConfig config,
      Preprocessing preprocessing,
      Vocabulary vocabulary,
      Optional<AdapterConfig> adapterConfig,
      Map<String, CheckpointTensor> tensors,
      Map<String, CheckpointTensor> adapterTensors) implements Checkpoint {

    @Override
    public String name() {
      return ModelConfig.PUBLISHED_NAME;
    }

    @Override
    public String where() {
      return SynthTensor.WHERE;
    }

    @Override
    public void close() {}
  }
}
