package io.embed4j.parity;

import io.embed4j.convert.Conversion;
import io.embed4j.convert.SynthCheckpoint;
import io.embed4j.convert.SynthConfig;
import io.embed4j.convert.WeightType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.Map;
import java.util.stream.Stream;

/** Models made once per test run under target/, from the checkpoint behind the reference. */
final class TinyModel {
  private static final Path FOLDER = fresh(Path.of("target", "models").toAbsolutePath());
  private static final Map<WeightType, Path> CONVERTED = new EnumMap<>(WeightType.class);
  private static Path checkpoint;
  private static Path small;

  private TinyModel() {}

  /** The checkpoint's directory, as the converter reads it. */
  static synchronized Path checkpoint() {
    if (checkpoint == null) {
      checkpoint = FOLDER.resolve("checkpoint");
      new SynthCheckpoint(SynthConfig.TINY, "", SynthConfig.Style.FLAT).write(checkpoint, false, (done, total) -> {});
    }
    return checkpoint;
  }

  /** The model directory with weights of this type. */
  static synchronized Path of(WeightType type) {
    return CONVERTED.computeIfAbsent(type, t -> {
      Path model = FOLDER.resolve(t.toString());
      Conversion.of(checkpoint()).to(model).type(t).run();
      return model;
    });
  }

  /** The float32 model with the first 1,024 tokens of the vocabulary only: 6 MB, opened in milliseconds. */
  static synchronized Path small() {
    if (small == null) {
      Path whole = of(WeightType.F32);
      small = directory(FOLDER.resolve("small"));
      for (String name : new String[] {"multivector.gguf", "adapter-retrieval.gguf", "adapter-text-matching.gguf",
          "adapter-code.gguf"}) {
        copy(whole.resolve(name), small.resolve(name));
      }
      GgufCopy.of(whole.resolve("text.gguf")).vocabulary(1024).write(small.resolve("text.gguf"));
    }
    return small;
  }

  /** A copy of {@link #small} in another folder, to be damaged. */
  static Path copyOfSmall(Path folder) {
    Path copy = directory(folder);
    try (Stream<Path> files = Files.list(small())) {
      for (Path file : files.toList()) Files.copy(file, copy.resolve(file.getFileName()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return copy;
  }

  private static void copy(Path from, Path to) {
    try {
      Files.copy(from, to);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path directory(Path path) {
    try {
      return Files.createDirectories(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path fresh(Path folder) {
    if (Files.exists(folder)) {
      try (Stream<Path> files = Files.walk(folder)) {
        files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return directory(folder);
  }
}
