package io.embed4j.cli;

import io.embed4j.convert.Conversion;
import io.embed4j.convert.SynthCheckpoint;
import io.embed4j.convert.SynthConfig;
import io.embed4j.convert.WeightType;
import java.io.PrintWriter;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
    name = "synth",
    description = "Write a synthetic checkpoint: the real layout and tokenizer, weights from a formula. Its embeddings "
        + "carry no meaning; it serves tests and measurements.")
final class SynthCommand implements Runnable {
  @Parameters(paramLabel = "OUT_DIR", description = "The directory to write.")
  private Path out;

  @Option(names = "--config", paramLabel = "SIZE", defaultValue = "tiny", converter = Labels.OfConfig.class,
      description = "tiny (default), small or full; full has the sizes of the real model.")
  private SynthConfig config;

  @Option(names = "--salt", paramLabel = "S", defaultValue = "", description = "Another salt gives another model.")
  private String salt;

  @Option(names = "--style", paramLabel = "STYLE", defaultValue = "flat", converter = Labels.OfStyle.class,
      description = "How names are spelled: flat (default, as Qwen2.5-VL) or nested (as newer libraries).")
  private SynthConfig.Style style;

  @Option(names = "--type", paramLabel = "TYPE", converter = Labels.OfWeightType.class,
      description = "Write the converted model directly, with weights as f32, bf16, f16, q8_0, q6_k or q4_k_m.")
  private WeightType type;

  @Option(names = "--packed", description = "With --type: weights as the CPU reads them (embed4j convert --packed).")
  private boolean packed;

  @Option(names = "--force", description = "Replace files that are there.")
  private boolean force;

  @Spec
  private CommandSpec spec;

  @Override
  public void run() {
    PrintWriter report = spec.commandLine().getOut();
    SynthCheckpoint checkpoint = new SynthCheckpoint(config, salt, style);
    if (packed && type == null) {
      throw new ParameterException(spec.commandLine(), "--packed needs --type: a checkpoint is not packed");
    }
    if (type != null) {
      ConvertCommand.run(Conversion.of(checkpoint).packed(packed), type, out, force, report);
    } else {
      write(checkpoint, out, force, report);
    }
  }

  /** Writes a checkpoint with a progress bar and says what it wrote. */
  static void write(SynthCheckpoint checkpoint, Path out, boolean force, PrintWriter report) {
    try (Progress progress = new Progress("synth")) {
      var files = checkpoint.write(out, force, progress::at);
      progress.close();
      for (Path file : files) report.println(file);
      report.flush();
    }
  }
}
