package io.embed4j.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.ChunkedEmbedding;
import io.embed4j.DenseEmbedding;
import io.embed4j.Embedding;
import io.embed4j.EmbeddingException;
import io.embed4j.MultiVectorEmbedding;
import io.embed4j.PatchGrid;
import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** JSON lines out, one per item; a failed write ends the command, quietly when the reader of a pipe is gone. */
final class JsonLinesWriter implements Closeable {
  private final String name;
  private final OutputStream out;
  private final JsonGenerator json;

  JsonLinesWriter(String name, OutputStream out) {
    this.name = name;
    this.out = new BufferedOutputStream(out, 1 << 16);
    try {
      this.json = Json.MAPPER.createGenerator(this.out).setRootValueSeparator(null);
      json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET).disable(JsonGenerator.Feature.FLUSH_PASSED_TO_STREAM);
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** A file, or standard output for "-". */
  static JsonLinesWriter open(String output) {
    if (output.equals("-")) return new JsonLinesWriter("standard output", new FileOutputStream(FileDescriptor.out));
    try {
      return new JsonLinesWriter(output, Files.newOutputStream(Path.of(output)));
    } catch (IOException e) {
      throw new UnusableException("cannot write " + output + ": " + e.getMessage(), e);
    }
  }

  void embedding(Origin origin, Embedding embedding) {
    line(origin, () -> {
      if (embedding.grid().isPresent()) json.writeNumberField("image_tokens", embedding.imageTokens());
      switch (embedding) {
        case DenseEmbedding dense -> {
          json.writeFieldName("embedding");
          floats(dense.toArray());
        }
        case MultiVectorEmbedding multi -> {
          if (multi.grid().isPresent()) grid(multi.grid().get());
          json.writeArrayFieldStart("embeddings");
          for (int i = 0; i < multi.rows(); i++) floats(multi.row(i));
          json.writeEndArray();
        }
        case ChunkedEmbedding chunked -> throw new IllegalStateException("no line asks for late chunks");
      }
    });
  }

  void ids(JsonNode id, int[] ids) {
    line(new Origin(id, 0), () -> {
      json.writeFieldName("ids");
      json.writeArray(ids, 0, ids.length);
    });
  }

  void error(Origin origin, EmbeddingException error) {
    line(origin, () -> {
      json.writeObjectFieldStart("error");
      json.writeStringField("code", error.code());
      json.writeStringField("message", error.getMessage());
      json.writeEndObject();
    });
  }

  /** Hands everything so far to the operating system. */
  void flush() {
    try {
      json.flush();
      out.flush();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  @Override
  public void close() {
    try {
      json.close();
      out.close();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  @FunctionalInterface
  private interface Fields {
    void write() throws IOException;
  }

  private void line(Origin origin, Fields fields) {
    try {
      json.writeStartObject();
      json.writeFieldName("id");
      json.writeTree(origin.id());
      if (origin.page() > 0) json.writeNumberField("page", origin.page());
      fields.write();
      json.writeEndObject();
      json.writeRaw('\n');
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** Where image tokens lie: rows and columns on the page, and which of the embeddings is the first of them. */
  private void grid(PatchGrid grid) throws IOException {
    json.writeFieldName("grid");
    json.writeArray(new int[] {grid.rows(), grid.columns()}, 0, 2);
    json.writeNumberField("first_image_row", grid.firstRow());
  }

  private void floats(float[] values) throws IOException {
    json.writeStartArray();
    for (float value : values) json.writeNumber(value);
    json.writeEndArray();
  }

  private RuntimeException failed(IOException e) {
    if (String.valueOf(e.getMessage()).contains("Broken pipe")) return new OutputClosedException(e);
    return new UnusableException("cannot write " + name + ": " + e.getMessage(), e);
  }
}
