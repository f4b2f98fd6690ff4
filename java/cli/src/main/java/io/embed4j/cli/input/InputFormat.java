package io.embed4j.cli.input;

import io.embed4j.cli.base.UnusableException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/** The kinds of input there are. */
public enum InputFormat {
  /** JSON lines. */
  JSONL,
  /** Comma-separated values. */
  CSV,
  /** Tab-separated values. */
  TSV,
  /** A Parquet file. */
  PARQUET,
  /** A text a line. */
  TEXT;

  /** The arguments of a command; files says whether one may name a picture or a PDF. */
  public static Items given(List<String> arguments, boolean files) {
    return new GivenItems(arguments, files);
  }

  /**
   * Opens a file, a folder, a glob, or standard input for "-".
   *
   * @param format null: the extension tells
   * @param wholeFile each file is one text
   */
  public static Items open(String input, InputFormat format, boolean wholeFile, Columns columns, Consumer<String> warnings)
      throws IOException {
    boolean isStandardInput = input.equals("-");
    if (wholeFile && (isStandardInput || format != null)) {
      throw new UnusableException("--whole-file is for files, a folder or a glob, without --input-format", null);
    }
    boolean files = !isStandardInput && (wholeFile || FileList.isGlob(input) || Files.isDirectory(Path.of(input)));
    if (files && format == null) return FileList.of(input, wholeFile, warnings);
    InputFormat kind = format != null ? format : isStandardInput ? JSONL : of(input);
    Stream stream = isStandardInput ? Stream.standardInput() : Stream.open(Path.of(input));
    try {
      return kind.open(stream, input, columns, warnings);
    } catch (IllegalArgumentException e) {
      throw new UnusableException(input + ": " + e.getMessage(), e);
    }
  }

  private Items open(Stream stream, String name, Columns columns, Consumer<String> warnings) throws IOException {
    return switch (this) {
      case JSONL -> new JsonLinesReader(stream, columns, warnings);
      case CSV -> new DelimitedReader(stream, name, ',', columns);
      case TSV -> new DelimitedReader(stream, name, '\t', columns);
      case PARQUET -> {
        if (stream.size() < 0) throw new UnusableException("Parquet is read from a file, not from a stream", null);
        yield new ParquetReader(stream, columns, warnings);
      }
      case TEXT -> {
        if (!columns.carry().isEmpty()) throw new UnusableException(name + ": lines of text have no columns to carry", null);
        yield new TextReader(stream);
      }
    };
  }

  private static InputFormat of(String name) {
    return switch (name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT)) {
      case "jsonl", "ndjson" -> JSONL;
      case "csv" -> CSV;
      case "tsv" -> TSV;
      case "parquet" -> PARQUET;
      case "txt" -> TEXT;
      default -> throw new UnusableException(name + " does not end in .jsonl, .ndjson, .csv, .tsv, .parquet or .txt: say with "
          + "--input-format what it is, or with --whole-file that it is one text", null);
    };
  }
}
