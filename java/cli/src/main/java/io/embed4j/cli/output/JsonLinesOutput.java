package io.embed4j.cli.output;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.Embedding;
import io.embed4j.cli.base.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Results as JSON lines in a file. */
final class JsonLinesOutput implements Output {
  private final Shape shape;
  private final PartFile file;
  private final JsonLines lines;

  /** JSON lines under this name. */
  record Lines(Path path, Shape shape) implements Format {
    @Override
    public Output open(ObjectNode state) throws IOException {
      return new JsonLinesOutput(shape, PartFile.open(Shape.part(path), state == null ? 0 : state.get("bytes").longValue()));
    }

    @Override
    public Map<Path, Path> parts() {
      return Map.of(Shape.part(path), path);
    }
  }

  private JsonLinesOutput(Shape shape, PartFile file) {
    this.shape = shape;
    this.file = file;
    this.lines = new JsonLines(file.path().toString(), file);
  }

  @Override
  public void write(Origin origin, Embedding embedding) {
    lines.embedding(origin, shape, embedding);
  }

  @Override
  public ObjectNode sync() throws IOException {
    lines.flush();
    file.sync();
    return Json.MAPPER.createObjectNode().put("bytes", file.length());
  }

  @Override
  public void finish() throws IOException {
    sync();
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
