package io.embed4j.cli;

import io.embed4j.cli.base.UnusableException;
import io.embed4j.cli.input.Columns;
import io.embed4j.cli.input.InputFormat;
import io.embed4j.cli.input.Items;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Where inputs come from: the command's own arguments, a file or standard input. */
final class InputOptions {
  @Option(names = {"-i", "--input"}, paramLabel = "FILE|FOLDER|GLOB|-",
      description = "A file: .jsonl, .ndjson, .csv, .tsv, .parquet, .txt (a text a line); all pictures and PDFs below a folder or "
          + "of a quoted glob such as 'scans/**.pdf'; - is standard input, of JSON lines.")
  private String input;

  @Option(names = "--input-format", paramLabel = "FORMAT", description = "jsonl, csv, tsv, parquet or text, whatever the extension.")
  private InputFormat format;

  @Option(names = "--whole-file", description = "A file that is no picture and no PDF is one text.")
  private boolean wholeFile;

  @Option(names = "--id-column", paramLabel = "NAME", defaultValue = "id",
      description = "Column, or field of JSON lines, that names a row in the output; default: ${DEFAULT-VALUE}. Without one, "
          + "the number of the row or line does.")
  private String id;

  @Option(names = "--text-column", paramLabel = "NAME", defaultValue = "text",
      description = "Column of texts; default: ${DEFAULT-VALUE}.")
  private String text;

  @Option(names = "--image-column", paramLabel = "NAME", defaultValue = "image",
      description = "Column of pictures: a path, a data: URI, in Parquet also the bytes; default: ${DEFAULT-VALUE}.")
  private String image;

  @Option(names = "--pdf-column", paramLabel = "NAME", defaultValue = "pdf",
      description = "Column of PDFs, likewise; default: ${DEFAULT-VALUE}.")
  private String pdf;

  @Option(names = "--carry", paramLabel = "NAME", split = ",",
      description = "Columns that go into the output unchanged; all: every one but the id.")
  private List<String> carry = List.of();

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
    return InputFormat.open(input, format, wholeFile, new Columns(id, text, image, pdf, carry),
        warning -> command.commandLine().getErr().println("embed4j: " + warning));
  }

  /** What decides about the result, besides the input itself. */
  void settings(Map<String, String> settings) {
    settings.put("--input-format", String.valueOf(format));
    settings.put("columns", String.join(", ", id, text, image, pdf));
    settings.put("--carry", String.join(",", carry));
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
