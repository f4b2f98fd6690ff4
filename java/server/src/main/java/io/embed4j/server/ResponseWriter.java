package io.embed4j.server;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.StreamWriteFeature;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Base64;
import java.util.List;

/** Writes JSON: of embeddings in the shape that satisfies both dialects, and of errors in either. Thread-safe. */
final class ResponseWriter {
  private static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamWriteFeature.USE_FAST_DOUBLE_WRITER).build();
  private static final ValueLayout.OfFloat LITTLE_ENDIAN =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private ResponseWriter() {}

  /** Writes one document. */
  interface Body {
    void write(JsonGenerator json) throws IOException;
  }

  /**
   * One entry of data.
   *
   * @param rows [rows][dimensions]; a dense vector is one row
   * @param multiVector whether rows are a vector each of the input's tokens
   * @param tokens the tokens' text, or null
   */
  record Item(MemorySegment rows, int dimensions, boolean multiVector, List<String> tokens) {}

  /**
   * What was embedded.
   *
   * @param imageTokens -1: there was no picture
   */
  record Usage(long tokens, long imageTokens) {}

  static byte[] json(int capacity, Body body) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(capacity);
    try (JsonGenerator json = JSON.createGenerator(out, JsonEncoding.UTF8)) {
      body.write(json);
    } catch (IOException e) {
      throw new UncheckedIOException("memory cannot fail to be written", e);
    }
    return out.toByteArray();
  }

  static byte[] embeddings(String model, Usage usage, List<Item> items, List<Encoding> encodings) {
    return json(Math.toIntExact(estimate(items, encodings)), json -> {
      json.writeStartObject();
      json.writeStringField("model", model);
      json.writeStringField("object", "list");
      json.writeObjectFieldStart("usage");
      json.writeNumberField("total_tokens", usage.tokens());
      json.writeNumberField("prompt_tokens", usage.tokens());
      if (usage.imageTokens() >= 0) json.writeNumberField("image_tokens", usage.imageTokens());
      else json.writeNullField("image_tokens");
      json.writeEndObject();
      json.writeArrayFieldStart("data");
      for (int i = 0; i < items.size(); i++) item(json, i, items.get(i), encodings);
      json.writeEndArray();
      json.writeEndObject();
    });
  }

  /** Bytes that the response will take, at most within a few per cent. */
  static long estimate(List<Item> items, List<Encoding> encodings) {
    long bytes = 200;
    for (Item item : items) {
      bytes += 64 + estimate(item.rows().byteSize() / 4, encodings) + (item.tokens() == null ? 0 : 16L * item.tokens().size());
    }
    return bytes;
  }

  /** Bytes of so many values. */
  static long estimate(long values, List<Encoding> encodings) {
    return values * encodings.stream().mapToInt(Encoding::bytesPerValue).sum();
  }

  private static void item(JsonGenerator json, int index, Item item, List<Encoding> encodings) throws IOException {
    json.writeStartObject();
    json.writeStringField("object", item.multiVector() ? "embeddings" : "embedding");
    json.writeNumberField("index", index);
    json.writeFieldName(item.multiVector() ? "embeddings" : "embedding");
    if (item.multiVector()) json.writeStartArray();
    long rowBytes = 4L * item.dimensions();
    for (long at = 0; at < item.rows().byteSize(); at += rowBytes) {
      vector(json, item.rows().asSlice(at, rowBytes), encodings);
    }
    if (item.multiVector()) json.writeEndArray();
    if (item.tokens() != null) {
      json.writeArrayFieldStart("tokenized_input");
      for (String token : item.tokens()) json.writeString(token);
      json.writeEndArray();
    }
    json.writeEndObject();
  }

  private static void vector(JsonGenerator json, MemorySegment row, List<Encoding> encodings) throws IOException {
    if (encodings.size() == 1) {
      vector(json, row, encodings.getFirst());
      return;
    }
    json.writeStartObject();
    for (Encoding encoding : encodings) {
      json.writeFieldName(encoding.label());
      vector(json, row, encoding);
    }
    json.writeEndObject();
  }

  private static void vector(JsonGenerator json, MemorySegment row, Encoding encoding) throws IOException {
    int dimensions = (int) (row.byteSize() / 4);
    switch (encoding) {
      case FLOAT -> {
        json.writeStartArray();
        for (int i = 0; i < dimensions; i++) json.writeNumber(row.getAtIndex(ValueLayout.JAVA_FLOAT, i));
        json.writeEndArray();
      }
      case BASE64 -> {
        byte[] bytes = new byte[4 * dimensions];
        MemorySegment.copy(row, ValueLayout.JAVA_FLOAT, 0, MemorySegment.ofArray(bytes), LITTLE_ENDIAN, 0, dimensions);
        byte[] text = Base64.getEncoder().encode(bytes);
        json.writeRawUTF8String(text, 0, text.length);
      }
      case BINARY, UBINARY -> {
        json.writeStartArray();
        for (int at = 0; at < dimensions; at += 8) {
          int bits = 0;
          for (int i = at; i < at + 8; i++) {
            bits = bits << 1 | (i < dimensions && row.getAtIndex(ValueLayout.JAVA_FLOAT, i) > 0 ? 1 : 0);
          }
          json.writeNumber((float) (encoding == Encoding.BINARY ? bits - 128 : bits));
        }
        json.writeEndArray();
      }
    }
  }

  /** The body of an error. */
  static byte[] error(Dialect dialect, int status, List<RequestException> problems, String requestId) {
    RequestException first = problems.getFirst();
    String code = first.problem().code(dialect);
    return json(512, json -> {
      json.writeStartObject();
      if (dialect == Dialect.OPENAI) {
        json.writeObjectFieldStart("error");
        json.writeStringField("message", (first.field().isEmpty() ? "" : path(first) + ": ") + first.getMessage());
        json.writeStringField("type", status >= 500 || status == 429 ? "server_error" : "invalid_request_error");
        json.writeStringField("param", first.field().isEmpty() ? null : path(first));
        json.writeStringField("code", code);
        json.writeEndObject();
      } else if (status == 422) {
        json.writeStringField("detail", (problems.size() == 1 ? "Validation error: " : "Validation errors in "
            + problems.size() + " fields, first: ") + "'" + jinaField(first) + "' " + first.getMessage());
        json.writeStringField("request_id", requestId);
        json.writeArrayFieldStart("errors");
        for (RequestException problem : problems) {
          json.writeStartObject();
          json.writeStringField("field", jinaField(problem));
          json.writeStringField("message", problem.getMessage());
          json.writeStringField("type", problem.problem().code(dialect));
          json.writeNullField("input");
          json.writeEndObject();
        }
        json.writeEndArray();
      } else if (status == 401 || status == 429) { // written by Jina's gateway, not by the application behind it
        json.writeStringField("detail", first.getMessage());
        json.writeStringField("code", code);
        json.writeStringField("request_id", requestId);
      } else {
        json.writeObjectFieldStart("detail");
        json.writeStringField("message", (first.field().isEmpty() ? "" : path(first) + ": ") + first.getMessage());
        json.writeStringField("request_id", requestId);
        json.writeStringField("code", code);
        json.writeEndObject();
      }
      json.writeEndObject();
    });
  }

  /** Such as {@code input[3].image}. */
  private static String path(RequestException problem) {
    StringBuilder path = new StringBuilder();
    for (Object step : problem.field()) {
      if (step instanceof Integer) path.append('[').append(step).append(']');
      else path.append(path.isEmpty() ? "" : ".").append(step);
    }
    return path.toString();
  }

  /** Such as {@code body -> input -> 3 -> image}. */
  private static String jinaField(RequestException problem) {
    StringBuilder path = new StringBuilder("body");
    for (Object step : problem.field()) path.append(" -> ").append(step);
    return path.toString();
  }
}
