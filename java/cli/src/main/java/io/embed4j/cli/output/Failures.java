package io.embed4j.cli.output;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.EmbeddingException;
import io.embed4j.cli.base.Json;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The file of failed items: {"id", "position", "code", "message"} a line, in input order. There is none until an item fails.
 * Not thread-safe.
 */
public final class Failures implements Closeable {
  private final Path path;
  private PartFile file;
  private JsonLines lines;

  /** Goes on at a length that was synced; 0: none failed. */
  public Failures(Path path, long length) throws IOException {
    this.path = path;
    if (length > 0) open(length);
    else Files.deleteIfExists(path); // of a run before
  }

  /** Adds an item that failed. */
  public void write(JsonNode id, ObjectNode position, EmbeddingException error) throws IOException {
    if (file == null) open(0);
    ObjectNode line = Json.MAPPER.createObjectNode();
    line.set("id", id);
    line.set("position", position);
    lines.line(line.put("code", error.code()).put("message", error.getMessage()));
  }

  /** Hands everything so far to the disk and returns the length. */
  public long sync() {
    if (file == null) return 0;
    lines.flush();
    file.sync();
    return file.length();
  }

  private void open(long length) throws IOException {
    file = PartFile.open(path, length);
    lines = new JsonLines(path.toString(), file);
  }

  @Override
  public void close() throws IOException {
    if (file != null) file.close();
  }
}
