package io.embed4j.cli.output;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.Embedding;
import io.embed4j.cli.base.Json;
import io.embed4j.cli.output.VectorType.Vectors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Vectors as a NumPy matrix, one a row, and beside it what they are of: of {@code out.npy} the JSON lines
 * {@code out.ids.jsonl}; for multi-vectors {@code out.offsets.npy}, int64 [items + 1], the row at which each item begins and
 * the number of rows; for int8 {@code out.scales.npy}, float32, one a row.
 */
final class NpyOutput implements Output {
  private final Shape shape;
  private final NpyFile vectors;
  private final NpyFile scales; // null: not int8
  private final NpyFile offsets; // null: one vector an item
  private final PartFile idFile;
  private final JsonLines ids;
  private long items;
  private long rows;

  /** The matrix under this name, the others beside it. */
  record Matrix(Path path, Shape shape) implements Format {
    @Override
    public Output open(ObjectNode state) throws IOException {
      return new NpyOutput(this, state == null ? Json.MAPPER.createObjectNode() : state);
    }

    @Override
    public Map<Path, Path> parts() {
      Map<Path, Path> parts = new LinkedHashMap<>();
      put(parts, beside(".ids.jsonl"));
      if (scaled()) put(parts, beside(".scales.npy"));
      if (shape.multiVector()) put(parts, beside(".offsets.npy"));
      put(parts, path); // last: when it is there, all are
      return parts;
    }

    private static void put(Map<Path, Path> parts, Path path) {
      parts.put(Shape.part(path), path);
    }

    private boolean scaled() {
      return shape.type() == VectorType.INT8;
    }

    private Path beside(String extension) {
      String name = path.getFileName().toString();
      return path.resolveSibling(name.substring(0, name.lastIndexOf('.')) + extension);
    }

    private Path part(String extension) {
      return Shape.part(beside(extension));
    }

    private String type() {
      return switch (shape.type()) {
        case FLOAT32 -> "<f4";
        case FLOAT16 -> "<f2";
        case INT8 -> "|i1";
        case BINARY -> "|u1";
      };
    }

    private int columns() {
      return shape.type() == VectorType.BINARY ? shape.type().bytes(shape.dimensions()) : shape.dimensions();
    }
  }

  private NpyOutput(Matrix matrix, ObjectNode state) throws IOException {
    this.shape = matrix.shape;
    this.items = state.path("items").longValue();
    this.rows = state.path("rows").longValue();
    this.vectors = new NpyFile(Shape.part(matrix.path), matrix.type(), matrix.columns(), state.path("vectors").longValue());
    this.scales = matrix.scaled() ? new NpyFile(matrix.part(".scales.npy"), "<f4", 0, state.path("scales").longValue()) : null;
    this.offsets = shape.multiVector()
        ? new NpyFile(matrix.part(".offsets.npy"), "<i8", 0, state.path("offsets").longValue()) : null;
    if (offsets != null && state.isEmpty()) offsets.write(0);
    this.idFile = PartFile.open(matrix.part(".ids.jsonl"), state.path("ids").longValue());
    this.ids = new JsonLines(idFile.path().toString(), idFile);
  }

  @Override
  public void write(Origin origin, Embedding embedding) throws IOException {
    Vectors values = shape.type().of(embedding);
    vectors.write(values.values());
    if (scales != null) scales.write(values.scales());
    items++;
    rows += values.rows();
    if (offsets != null) offsets.write(rows);
    ids.reference(origin, shape, embedding);
  }

  @Override
  public ObjectNode sync() {
    ids.flush();
    idFile.sync();
    ObjectNode state = Json.MAPPER.createObjectNode().put("items", items).put("rows", rows).put("ids", idFile.length())
        .put("vectors", vectors.sync());
    if (scales != null) state.put("scales", scales.sync());
    if (offsets != null) state.put("offsets", offsets.sync());
    return state;
  }

  @Override
  public void finish() throws IOException {
    sync();
    vectors.finish(rows);
    if (scales != null) scales.finish(rows);
    if (offsets != null) offsets.finish(items + 1);
  }

  @Override
  public void close() throws IOException {
    try (vectors; scales; offsets; idFile) {
      return;
    }
  }
}
