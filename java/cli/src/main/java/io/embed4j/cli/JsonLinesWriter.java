package io.embed4j.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.DenseEmbedding;
import io.embed4j.EmbeddingException;
import io.embed4j.MultiVectorEmbedding;
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

  void dense(JsonNode id, DenseEmbedding embedding) {
    line(id, () -> {
      json.writeFieldName("embedding");
      floats(embedding.toArray());
    });
  }

  void multiVector(JsonNode id, MultiVectorEmbedding embedding) {
    line(id, () -> {
      json.writeArrayFieldStart("embeddings");
      for (int i = 0; i < embedding.rows(); i++) floats(embedding.row(i));
      json.writeEndArray();
    });
  }

  void ids(JsonNode id, int[] ids) {
    line(id, () -> {
      json.writeFieldName("ids");
      json.writeArray(ids, 0, ids.length);
    });
  }

  void error(JsonNode id, EmbeddingException error) {
    line(id, () -> {
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

  private void line(JsonNode id, Fields fields) {
    try {
      json.writeStartObject();
      json.writeFieldName("id");
      json.writeTree(id);
      fields.write();
      json.writeEndObject();
      json.writeRaw('\n');
    } catch (IOException e) {
      throw failed(e);
    }
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
