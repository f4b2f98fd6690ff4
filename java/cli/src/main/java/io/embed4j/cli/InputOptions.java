package io.embed4j.cli;

import io.embed4j.cli.base.UnusableException;
import io.embed4j.cli.input.Columns;
import io.embed4j.cli.input.InputFormat;
import io.embed4j.cli.input.Items;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Where inputs come from: the command's own arguments, a file or standard input. */
final class InputOptions {
  @Option(names = {"-i", "--input"}, paramLabel = "FILE|-",
      description = "JSON lines {\"id\": any, \"text\": \"...\"}; - is standard input.")
  private String input;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  /**
   * Opens the inputs.
   *
   * @param arguments of the command, whose ids are 0, 1, ...
   * @param files whether an argument may name a picture or a PDF
   */
  Items open(List<String> arguments, boolean files) throws IOException {
    if (input == null && arguments.isEmpty()) throw usage("give a TEXT, or --input");
    if (input != null && !arguments.isEmpty()) throw usage("give either TEXT or --input, not both");
    if (input == null) return InputFormat.given(arguments, files);
    return InputFormat.open(input, Columns.DEFAULT,
        warning -> command.commandLine().getErr().println("embed4j: " + warning));
  }

  /** Refuses to write over what is being read: the file of lines, or files among the command's arguments. */
  void requireOther(Path output, List<String> files) {
    List<String> read = input == null ? files : input.equals("-") ? List.of() : List.of(input);
    for (String file : read) {
      try {
        if (Files.exists(output) && Files.exists(Path.of(file)) && Files.isSameFile(Path.of(file), output)) {
          throw usage("--output is the file " + file + " that is read");
        }
      } catch (IOException e) {
        throw new UnusableException("cannot read " + file + ": " + e.getMessage(), e);
      }
    }
  }

  private CommandLine.ParameterException usage(String message) {
    return new CommandLine.ParameterException(command.commandLine(), message);
  }
}
