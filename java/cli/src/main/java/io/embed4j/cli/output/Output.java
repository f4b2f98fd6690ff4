package io.embed4j.cli.output;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.Embedding;
import io.embed4j.cli.base.UnusableException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Files of results that survive a crash: they grow under working names, each sync makes a point to go on from, and they get
 * their names when everything is in them. The bytes depend on the results only, not on where there were points or crashes.
 * Not thread-safe.
 */
public interface Output extends Closeable {
  /** Adds a result. */
  void write(Origin origin, Embedding embedding) throws IOException;

  /** Whether there is to be a sync before more is written. */
  default boolean due() {
    return false;
  }

  /** Hands everything so far to the disk and says what {@link Format#open} needs to go on from here. */
  ObjectNode sync() throws IOException;

  /** Completes the files and hands them to the disk, still under their working names. */
  void finish() throws IOException;

  /** A kind of output. */
  interface Format {
    /**
     * What the extension of a file asks for.
     *
     * @param fixed in Parquet a vector is a value of so many bytes, not a list
     * @param groupBytes at which a row group of Parquet ends
     */
    static Format of(Path path, Shape shape, boolean fixed, long groupBytes) {
      String name = path.getFileName().toString();
      return switch (name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT)) {
        case "jsonl", "ndjson" -> new JsonLinesOutput.Lines(path, shape);
        case "npy" -> new NpyOutput.Matrix(path, shape);
        case "parquet" -> new ParquetOutput.Table(path, shape, fixed, groupBytes);
        default -> throw new UnusableException(path + " does not end in .jsonl, .ndjson, .parquet or .npy", null);
      };
    }

    /**
     * Opens the files.
     *
     * @param state of the last sync, or null to begin
     */
    Output open(ObjectNode state) throws IOException;

    /** The files while they grow, and the names they get. */
    Map<Path, Path> parts();

    /** Further files, which are needed while they grow only. */
    default List<Path> scratch() {
      return List.of();
    }
  }
}
