package io.embed4j.server;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonParser.NumberType;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import io.embed4j.EmbeddingException;
import io.embed4j.server.Query.Input;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Reads the JSON of {@code POST /v1/embeddings} in one pass, without a tree: what is not wanted takes no memory. Fields are
 * known under the names of Jina, OpenAI and the aliases that Jina's servers accept; others are ignored, and a field given
 * twice is refused. Reading goes on after a wrong value, so that all are reported, and so that a later field can still say
 * whose dialect the request speaks. Thread-safe.
 */
final class RequestReader {
  private static final int MAX_DEPTH = 32;
  private static final int MAX_NUMBER_CHARS = 100;
  private static final int MAX_PROBLEMS = 20;
  private static final int JINA_ITEMS = 512;

  private static final Map<String, String> ALIASES = Map.ofEntries(
      Map.entry("content", "input"), Map.entry("texts", "input"), Map.entry("task_type", "task"),
      Map.entry("output_dimensionality", "dimensions"), Map.entry("output_dimension", "dimensions"),
      Map.entry("truncation", "truncate"), Map.entry("encoding_format", "embedding_type"),
      Map.entry("encoding_type", "embedding_type"), Map.entry("embedding_types", "embedding_type"));
  private static final Set<String> FIELDS = Set.of("model", "input", "task", "dimensions", "embedding_type", "late_chunking",
      "truncate", "return_multivector", "return_tokenized_input", "normalized");
  private static final Set<String> OPENAI = Set.of("model", "input", "dimensions", "encoding_format");

  private final JsonFactory factory;
  private final int maxItems;
  private final int maxTokens;

  /**
   * What a body says.
   *
   * @param query null if there are problems
   * @param jina whether a field that only Jina has is there
   */
  record Reading(Query query, List<RequestException> problems, boolean jina) {}

  /** With the limits of a server. */
  RequestReader(ServerConfig config) {
    this.maxItems = config.count(Setting.MAX_ITEMS);
    this.maxTokens = config.count(Setting.MAX_QUEUE_TOKENS);
    this.factory = JsonFactory.builder()
        .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).maxNumberLength(MAX_NUMBER_CHARS)
            .maxStringLength(config.count(Setting.MAX_BODY_BYTES)).maxNameLength(1000).build())
        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
        .build();
  }

  /** Reads a body. */
  Reading read(byte[] body) {
    return new Pass().read(body);
  }

  private final class Pass {
    private final List<RequestException> problems = new ArrayList<>();
    private final Set<String> given = new HashSet<>();
    private final List<Input> inputs = new ArrayList<>();
    private JsonParser parser;
    private boolean jina;
    private boolean inputGiven;
    private String model;
    private TaskName task;
    private int dimensions;
    private List<Encoding> encodings = List.of(Encoding.FLOAT);
    private boolean lateChunking;
    private boolean truncate;
    private boolean multiVector;
    private boolean tokenizedInput;
    private boolean normalized = true;

    Reading read(byte[] body) {
      try (JsonParser open = factory.createParser(body)) {
        parser = open;
        if (parser.nextToken() != JsonToken.START_OBJECT) {
          problem("the body is not a JSON object");
        } else {
          while (parser.nextToken() == JsonToken.FIELD_NAME) field(parser.currentName());
          if (parser.nextToken() != null) problem("there is more after the JSON object");
        }
      } catch (StreamConstraintsException e) {
        problem("the JSON is beyond a limit: nesting of " + MAX_DEPTH + ", numbers of " + MAX_NUMBER_CHARS + " characters");
      } catch (JsonProcessingException e) {
        problem("the body is not JSON" + (e.getLocation() == null ? "" : ", at byte " + e.getLocation().getByteOffset())
            + (e instanceof JsonParseException && e.getOriginalMessage().startsWith("Duplicate") ? ": a field is given twice" : ""));
      } catch (IOException e) {
        throw new AssertionError("bytes are read without a device", e);
      }
      if (problems.isEmpty()) checkTogether();
      Query query = problems.isEmpty() ? new Query(model, List.copyOf(inputs), task, dimensions, encodings, lateChunking,
          truncate, multiVector, tokenizedInput, normalized) : null;
      return new Reading(query, problems, jina);
    }

    private void field(String name) throws IOException {
      String field = ALIASES.getOrDefault(name, name);
      JsonToken value = parser.nextToken();
      if (!FIELDS.contains(field)) {
        parser.skipChildren();
        return;
      }
      if (!OPENAI.contains(name)) jina = true;
      if (!given.add(field)) {
        problem(name + " is given twice, once under another name", name);
        parser.skipChildren();
        return;
      }
      if (value == JsonToken.VALUE_NULL) return;
      switch (field) {
        case "model" -> model = string(name);
        case "input" -> input(name, value);
        case "task" -> task(name);
        case "dimensions" -> dimensions = integer(name);
        case "embedding_type" -> encodings(name, value);
        case "late_chunking" -> lateChunking = bool(name, value);
        case "truncate" -> truncate = bool(name, value);
        case "return_multivector" -> multiVector = bool(name, value);
        case "return_tokenized_input" -> tokenizedInput = bool(name, value);
        case "normalized" -> normalized = bool(name, value);
        default -> throw new AssertionError(field);
      }
    }

    private void checkTogether() {
      if (model == null) problem("model is missing", "model");
      if (!inputGiven) problem("input is missing", "input");
      else if (inputs.isEmpty()) problem("input is empty, expected at least one item", "input");
      int most = jina ? Math.min(maxItems, JINA_ITEMS) : maxItems;
      if (inputs.size() > most) problem("input has " + inputs.size() + " items, the limit is " + most, "input");
      if (multiVector && dimensions != 0) problem("dimensions cannot be set when return_multivector is true", "dimensions");
      if (multiVector && !normalized) problem("multi-vectors are always normalized", "normalized");
      if (multiVector && lateChunking) problem("late_chunking and return_multivector exclude each other", "late_chunking");
      if (tokenizedInput && !multiVector) {
        problem("return_tokenized_input needs return_multivector", "return_tokenized_input");
      }
      for (Input input : inputs) {
        if (lateChunking && !(input instanceof Input.Text)) problem("late_chunking is for texts", input.field());
        if (!jina && input instanceof Input.Text(String text, Object[] field) && text.isEmpty()) {
          problem("the text is empty", field);
        }
      }
    }

    private void input(String name, JsonToken value) throws IOException {
      inputGiven = true;
      if (value != JsonToken.START_ARRAY) {
        item(value, true, name);
        return;
      }
      JsonToken first = parser.nextToken();
      if (first != null && first.isNumeric()) {
        tokens(name);
        return;
      }
      int index = 0;
      for (JsonToken item = first; item != JsonToken.END_ARRAY; item = parser.nextToken()) {
        if (index < maxItems) {
          item(item, false, name, index);
        } else {
          parser.skipChildren();
          if (index == maxItems) problem("input has more than " + maxItems + " items", name);
        }
        index++;
      }
    }

    private void item(JsonToken value, boolean alone, Object... field) throws IOException {
      switch (value) {
        case VALUE_STRING -> inputs.add(new Input.Text(parser.getText(), field));
        case START_OBJECT -> document(alone, field);
        case START_ARRAY -> {
          if (alone || !parser.nextToken().isNumeric()) {
            while (!parser.currentToken().isStructEnd()) {
              parser.skipChildren();
              parser.nextToken();
            }
            problem("expected a text, an object with text, image or pdf, or token ids", field);
          } else {
            tokens(field);
          }
        }
        default -> problem("expected a text, an object with text, image or pdf, or token ids", field);
      }
    }

    /** From the first of them. */
    private void tokens(Object... field) throws IOException {
      int[] ids = new int[16];
      int size = 0;
      boolean wrong = false;
      for (JsonToken token = parser.currentToken(); token != JsonToken.END_ARRAY; token = parser.nextToken()) {
        if (wrong) {
          parser.skipChildren();
        } else if (token != JsonToken.VALUE_NUMBER_INT || parser.getNumberType() != NumberType.INT) {
          wrong = true;
          parser.skipChildren();
          problem("token " + size + " is not a token id", field);
        } else if (size == maxTokens) {
          wrong = true;
          problem("there are more than " + maxTokens + " tokens", field);
        } else {
          if (size == ids.length) ids = Arrays.copyOf(ids, 2 * size);
          ids[size++] = parser.getIntValue();
        }
      }
      if (!wrong) inputs.add(new Input.Tokens(Arrays.copyOf(ids, size), field));
    }

    private void document(boolean alone, Object... field) throws IOException {
      jina = true;
      Input found = null;
      int kinds = 0;
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        JsonToken value = parser.nextToken();
        boolean known = Set.of("text", "image", "pdf", "bytes", "url").contains(name);
        if (!known || value == JsonToken.VALUE_NULL) {
          parser.skipChildren();
          continue;
        }
        kinds++;
        Object[] place = Arrays.copyOf(field, field.length + 1);
        place[field.length] = name;
        String content = string(place);
        if (content == null) continue;
        found = switch (name) {
          case "text" -> new Input.Text(content, place);
          case "pdf" -> new Input.Pdf(content, place);
          default -> new Input.Image(content, place); // bytes and url: how older clients of Jina send pictures
        };
        if (found instanceof Input.Pdf && !alone) problem("a PDF has to be the only input, not in an array", place);
      }
      if (kinds != 1) problem("expected one of text, image and pdf", field);
      else if (found != null) inputs.add(found);
    }

    private void task(String name) throws IOException {
      String label = string(name);
      if (label == null) return;
      try {
        task = TaskName.of(label);
      } catch (EmbeddingException e) {
        problem(e.getMessage(), name);
      }
    }

    private void encodings(String name, JsonToken value) throws IOException {
      if (value != JsonToken.START_ARRAY) {
        encodings = encoding(name).map(List::of).orElse(encodings);
        return;
      }
      List<Encoding> list = new ArrayList<>();
      for (int index = 0; parser.nextToken() != JsonToken.END_ARRAY; index++) {
        encoding(name, index).filter(encoding -> !list.contains(encoding)).ifPresent(list::add);
      }
      if (list.isEmpty()) problem("expected at least one encoding", name);
      else encodings = List.copyOf(list);
    }

    private Optional<Encoding> encoding(Object... field) throws IOException {
      String label = string(field);
      if (label == null) return Optional.empty();
      Optional<Encoding> encoding = Encoding.of(label);
      if (encoding.isEmpty()) problem("expected float, base64, binary or ubinary", field);
      return encoding;
    }

    /** Null after a problem. */
    private String string(Object... field) throws IOException {
      if (parser.currentToken() == JsonToken.VALUE_STRING) return parser.getText();
      parser.skipChildren();
      problem("expected a string", field);
      return null;
    }

    private int integer(String name) throws IOException {
      boolean integer = parser.currentToken() == JsonToken.VALUE_NUMBER_INT && parser.getNumberType() == NumberType.INT;
      int value = integer ? parser.getIntValue() : 0;
      parser.skipChildren();
      if (value < 1) problem("expected a positive integer", name);
      return value;
    }

    private boolean bool(String name, JsonToken value) throws IOException {
      if (value == JsonToken.VALUE_TRUE || value == JsonToken.VALUE_FALSE) return value == JsonToken.VALUE_TRUE;
      parser.skipChildren();
      problem("expected true or false", name);
      return false;
    }

    private void problem(String message, Object... field) {
      if (problems.size() < MAX_PROBLEMS) problems.add(RequestException.of(Problem.INVALID, message, field));
    }
  }
}
