package io.embed4j.cli;

import io.embed4j.EmbeddingModel;
import io.embed4j.ModelOptions;
import io.embed4j.Task;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The model a command runs and how it is opened. */
final class ModelArgument {
  @Option(names = {"-m", "--model"}, required = true, paramLabel = "MODEL",
      description = "A directory written by convert, or a lone text GGUF.")
  private Path path;

  @Option(names = "--threads", paramLabel = "N", description = "Worker threads; default: all processors.")
  private int threads;

  @Option(names = "--device", paramLabel = "DEVICE", defaultValue = "cpu",
      description = "cpu (default), cuda or cuda:N for an NVIDIA GPU, cuda:all for all of them, or auto: a GPU where that is "
          + "possible.")
  private String device;

  @Option(names = "--precision", paramLabel = "PRECISION", defaultValue = "model",
      description = "model (default): as the files' weights; fp8: the text decoder in 8-bit floating point, on a GPU of compute "
          + "capability 8.9 or newer, with some loss.")
  private String precision;

  @Option(names = "--merged-task", paramLabel = "TASK", converter = Labels.OfTask.class,
      description = "The task merged into a lone text GGUF whose name does not say it.")
  private Task mergedTask;

  EmbeddingModel open() {
    return EmbeddingModel.open(path, options());
  }

  /** How it is opened. */
  ModelOptions options() {
    return ModelOptions.defaults().threads(threads).mergedTask(mergedTask).device(device).precision(precision);
  }
}
