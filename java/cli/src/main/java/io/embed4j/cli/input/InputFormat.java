package io.embed4j.cli.input;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/** The kinds of input there are. */
public enum InputFormat {
  JSONL;

  /** The arguments of a command; files says whether one may name a picture or a PDF. */
  public static Items given(List<String> arguments, boolean files) {
    return new GivenItems(arguments, files);
  }

  /** A file, or standard input for "-". */
  public static Items open(String input, Columns columns, Consumer<String> warnings) throws IOException {
    Stream stream = input.equals("-") ? Stream.standardInput() : Stream.open(Path.of(input));
    return new JsonLinesReader(stream, columns, warnings);
  }
}
