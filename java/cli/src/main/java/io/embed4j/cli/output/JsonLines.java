package io.embed4j.cli.output;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.Embedding;
import io.embed4j.EmbeddingException;
import io.embed4j.MultiVectorEmbedding;
import io.embed4j.PatchGrid;
import io.embed4j.cli.base.Json;
import io.embed4j.cli.base.OutputClosedException;
import io.embed4j.cli.base.UnusableException;
import io.embed4j.cli.output.VectorType.Vectors;
import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** JSON lines, one per result; a failed write ends the command, quietly when the reader of a pipe is gone. */
public final class JsonLines implements Closeable {
  private final String name;
  private final OutputStream out;
  private final JsonGenerator json;

  JsonLines(String name, OutputStream out) {
    this.name = name;
    this.out = new BufferedOutputStream(out, 1 << 16);
    try {
      this.json = Json.MAPPER.createGenerator(this.out).setRootValueSeparator(null);
      json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET).disable(JsonGenerator.Feature.FLUSH_PASSED_TO_STREAM);
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** A pipe or a device, or standard output for "-". */
  public static JsonLines open(String output) {
    if (output.equals("-")) return new JsonLines("standard output", new FileOutputStream(FileDescriptor.out));
    try {
      return new JsonLines(output, Files.newOutputStream(Path.of(output)));
    } catch (IOException e) {
      throw new UnusableException("cannot write " + output + ": " + e.getMessage(), e);
    }
  }

  /** A result and its vectors. */
  public void embedding(Origin origin, Shape shape, Embedding embedding) {
    VectorType type = shape.type();
    Vectors vectors = type.of(embedding);
    line(origin, shape.carriedNames(), () -> {
      boolean multi = embedding instanceof MultiVectorEmbedding;
      if (embedding.grid().isPresent()) {
        json.writeNumberField("image_tokens", embedding.imageTokens());
        if (multi) grid(embedding.grid().get());
      }
      if (type == VectorType.INT8) scales(vectors, multi);
      json.writeFieldName(multi ? "embeddings" : "embedding");
      ByteBuffer values = ByteBuffer.wrap(vectors.values()).order(ByteOrder.LITTLE_ENDIAN);
      if (multi) json.writeStartArray();
      for (int i = 1; i <= vectors.rows(); i++) {
        values.limit(vectors.values().length / vectors.rows() * i);
        vector(values, type);
      }
      if (multi) json.writeEndArray();
    });
  }

  /** Without its vectors, which lie elsewhere. */
  void reference(Origin origin, Shape shape, Embedding embedding) {
    line(origin, shape.carriedNames(), () -> {
      if (embedding.grid().isEmpty()) return;
      json.writeNumberField("image_tokens", embedding.imageTokens());
      if (embedding instanceof MultiVectorEmbedding) grid(embedding.grid().get());
    });
  }

  /** The token ids of a text. */
  public void ids(JsonNode id, int[] ids) {
    line(new Origin(id, 0, List.of()), List.of(), () -> {
      json.writeFieldName("ids");
      json.writeArray(ids, 0, ids.length);
    });
  }

  /** What became of an item, in the place of its vectors. */
  public void error(Origin origin, EmbeddingException error) {
    line(origin, List.of(), () -> {
      json.writeObjectFieldStart("error");
      json.writeStringField("code", error.code());
      json.writeStringField("message", error.getMessage());
      json.writeEndObject();
    });
  }

  /** Any other line. */
  void line(JsonNode object) {
    try {
      json.writeTree(object);
      json.writeRaw('\n');
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** Hands everything so far to the operating system. */
  public void flush() {
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

  private void line(Origin origin, List<String> carried, Fields fields) {
    try {
      json.writeStartObject();
      json.writeFieldName("id");
      json.writeTree(origin.id());
      if (origin.page() > 0) json.writeNumberField("page", origin.page());
      for (int i = 0; i < carried.size(); i++) {
        json.writeFieldName(carried.get(i));
        json.writeTree(origin.carried().get(i));
      }
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

  private void scales(Vectors vectors, boolean multi) throws IOException {
    if (!multi) {
      json.writeNumberField("scale", vectors.scales()[0]);
      return;
    }
    json.writeArrayFieldStart("scales");
    for (float scale : vectors.scales()) json.writeNumber(scale);
    json.writeEndArray();
  }

  /** Up to the limit; binary as its bytes, 0 .. 255. */
  private void vector(ByteBuffer values, VectorType type) throws IOException {
    json.writeStartArray();
    while (values.hasRemaining()) {
      switch (type) {
        case FLOAT32 -> json.writeNumber(values.getFloat());
        case FLOAT16 -> json.writeNumber(Float.float16ToFloat(values.getShort()));
        case INT8 -> json.writeNumber((short) values.get());
        case BINARY -> json.writeNumber((short) Byte.toUnsignedInt(values.get()));
      }
    }
    json.writeEndArray();
  }

  private RuntimeException failed(IOException e) {
    if (String.valueOf(e.getMessage()).contains("Broken pipe")) return new OutputClosedException(e);
    return new UnusableException("cannot write " + name + ": " + e.getMessage(), e);
  }
}
