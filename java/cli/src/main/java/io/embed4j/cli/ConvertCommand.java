package io.embed4j.cli;

import io.embed4j.convert.Conversion;
import io.embed4j.convert.WeightType;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "convert", description = "Turn a checkpoint directory into a model directory of GGUF files.")
final class ConvertCommand implements Runnable {
  @Parameters(paramLabel = "CHECKPOINT_DIR", description = "The checkpoint as it is published.")
  private Path checkpoint;

  @Parameters(paramLabel = "OUT_DIR", description = "The model directory to write.")
  private Path out;

  @Option(names = "--type", paramLabel = "TYPE", defaultValue = "bf16", converter = Labels.OfWeightType.class,
      description = "Weights as f32, bf16 (default), f16, q8_0, q6_k or q4_k_m.")
  private WeightType type;

  @Option(names = "--packed", description = "Write weights as the CPU reads them: the model opens in a second and processes "
      + "share its memory, but no GPU and no other program reads it.")
  private boolean packed;

  @Option(names = "--force", description = "Replace model files that are there.")
  private boolean force;

  @Spec
  private CommandSpec spec;

  @Override
  public void run() {
    run(Conversion.of(checkpoint).packed(packed), type, out, force, spec.commandLine().getOut());
  }

  /** Runs a conversion with a progress bar and says what it wrote. */
  static void run(Conversion conversion, WeightType type, Path out, boolean force, PrintWriter report) {
    try (Progress progress = new Progress("convert")) {
      List<Path> files = conversion.to(out).type(type).force(force).progress(progress::at).run();
      progress.close();
      for (Path file : files) report.println(file);
      report.flush();
    }
  }
}
