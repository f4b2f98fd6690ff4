package io.embed4j.server;

import io.embed4j.convert.Conversion;
import io.embed4j.convert.SynthCheckpoint;
import io.embed4j.convert.SynthConfig;
import io.embed4j.convert.WeightType;
import java.nio.file.Files;
import java.nio.file.Path;

/** The tiny synthetic model, made once per build. */
final class TinyModel {
  private static final Path FOLDER = Path.of("target", "models", "tiny").toAbsolutePath();

  private TinyModel() {}

  static synchronized Path path() {
    if (!Files.exists(FOLDER.resolve("text.gguf"))) {
      Conversion.of(new SynthCheckpoint(SynthConfig.TINY, "", SynthConfig.Style.FLAT)).to(FOLDER)
          .type(WeightType.BF16).run();
    }
    return FOLDER;
  }
}
