package io.embed4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.IntNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.function.BiFunction;
import java.util.stream.IntStream;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Where inputs come from: the command's own arguments, a file of JSON lines or standard input. */
final class InputOptions {
  @Option(names = "--input", paramLabel = "FILE.jsonl|-",
      description = "JSON lines {\"id\": any, \"text\": \"...\"}; - is standard input.")
  private String input;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  /**
   * Opens the inputs.
   *
   * @param arguments of the command, whose ids are 0, 1, ...
   * @param item what an argument with its id is
   */
  Items open(List<String> arguments, BiFunction<JsonNode, String, Item> item) {
    if (input == null && arguments.isEmpty()) throw usage("give a TEXT, or --input");
    if (input != null && !arguments.isEmpty()) throw usage("give either TEXT or --input, not both");
    if (input == null) {
      return given(IntStream.range(0, arguments.size())
          .mapToObj(i -> item.apply(IntNode.valueOf(i), arguments.get(i))).iterator());
    }
    return new JsonLinesReader(stream(), warning -> command.commandLine().getErr().println("embed4j: " + warning));
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

  private InputStream stream() {
    if (input.equals("-")) return System.in;
    try {
      if (Files.isDirectory(Path.of(input))) throw new UnusableException(input + " is a folder, expected a file", null);
      return Files.newInputStream(Path.of(input));
    } catch (IOException e) {
      String reason = Files.exists(Path.of(input)) ? "it is not readable" : "it does not exist";
      throw new UnusableException("cannot read " + input + ": " + reason, e);
    }
  }

  private static Items given(Iterator<Item> items) {
    return new Items() {
      @Override
      public Item next() {
        return items.hasNext() ? items.next() : null;
      }

      @Override
      public boolean ready() {
        return true;
      }

      @Override
      public void close() {}
    };
  }

  private CommandLine.ParameterException usage(String message) {
    return new CommandLine.ParameterException(command.commandLine(), message);
  }
}
