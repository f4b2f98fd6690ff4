package io.embed4j.convert;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * An object of a JSON file together with its place, so that every complaint names file, key, what was found and what
 * was expected. A key that is null counts as absent, as it does in the library that writes these files.
 *
 * @param where file and path of the object
 */
record JsonObject(String where, ObjectNode node) {
  private static final JsonMapper MAPPER = JsonMapper.builder()
      .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
      .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
      .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
      .build();

  /** The object that a file holds. */
  static JsonObject read(Path file) {
    try {
      return parse(file.toString(), Files.readAllBytes(file));
    } catch (IOException e) {
      throw Failure.io("read", file, e);
    }
  }

  /** The object that these UTF-8 bytes hold; duplicate keys and anything after it are errors. */
  static JsonObject parse(String where, byte[] json) {
    JsonNode node;
    try {
      node = MAPPER.readTree(json);
    } catch (JsonProcessingException e) {
      throw Failure.bad(where, "not valid JSON: " + e.getOriginalMessage());
    } catch (IOException e) {
      throw Failure.bad(where, "not valid JSON: " + e.getMessage());
    }
    if (!(node instanceof ObjectNode object)) throw Failure.bad(where, "found " + kind(node) + ", expected an object");
    return new JsonObject(where, object);
  }

  boolean has(String key) {
    return node.hasNonNull(key);
  }

  /** The keys, null values left out. */
  List<String> keys() {
    List<String> keys = new ArrayList<>();
    node.fieldNames().forEachRemaining(key -> {
      if (has(key)) keys.add(key);
    });
    return keys;
  }

  JsonObject object(String key) {
    if (!(required(key) instanceof ObjectNode object)) throw wrong(key, "an object");
    return new JsonObject(where + ": " + key, object);
  }

  Optional<JsonObject> optionalObject(String key) {
    return has(key) ? Optional.of(object(key)) : Optional.empty();
  }

  /** A whole number, low .. high inclusive. */
  long integer(String key, long low, long high) {
    return integer(key, required(key), low, high);
  }

  private long integer(String key, JsonNode value, long low, long high) {
    boolean whole = value.isIntegralNumber() && value.canConvertToLong();
    if (!whole || value.longValue() < low || value.longValue() > high) {
      throw wrong(key, "a whole number from " + low + " to " + high);
    }
    return value.longValue();
  }

  /** A whole number of at least 1 that an int holds. */
  int extent(String key) {
    return (int) integer(key, 1, 1 << 24);
  }

  /** A finite number. */
  double number(String key) {
    JsonNode value = required(key);
    if (!value.isNumber() || !Double.isFinite(value.doubleValue())) throw wrong(key, "a number");
    return value.doubleValue();
  }

  String text(String key) {
    JsonNode value = required(key);
    if (!value.isTextual()) throw wrong(key, "a string");
    return value.textValue();
  }

  boolean flag(String key, boolean absent) {
    if (!has(key)) return absent;
    JsonNode value = node.get(key);
    if (!value.isBoolean()) throw wrong(key, "true or false");
    return value.booleanValue();
  }

  /** A list of whole numbers, each low .. high inclusive. */
  List<Integer> integers(String key, int low, int high) {
    List<Integer> numbers = new ArrayList<>();
    for (JsonNode value : array(key)) numbers.add((int) integer(key, value, low, high));
    return numbers;
  }

  List<Float> floats(String key) {
    List<Float> numbers = new ArrayList<>();
    for (JsonNode value : array(key)) {
      if (!value.isNumber()) throw wrong(key, "an array of numbers");
      numbers.add(value.floatValue());
    }
    return numbers;
  }

  List<String> texts(String key) {
    List<String> texts = new ArrayList<>();
    for (JsonNode value : array(key)) {
      if (!value.isTextual()) throw wrong(key, "an array of strings");
      texts.add(value.textValue());
    }
    return texts;
  }

  JsonNode array(String key) {
    JsonNode value = required(key);
    if (!value.isArray()) throw wrong(key, "an array");
    return value;
  }

  /** Refuses any value but this one; the key may be absent when `absent` is allowed. */
  void only(String key, Object expected, boolean absent) {
    if (!has(key)) {
      if (absent) return;
      throw Failure.bad(where, key + " is missing");
    }
    if (!node.get(key).asText().equals(String.valueOf(expected)) || node.get(key).isContainerNode()) {
      throw Failure.unsupported(where, key + " is " + shown(key) + "; only " + expected + " is implemented");
    }
  }

  /** Refuses anything but null, false, an empty list or an empty object. */
  void unset(String key) {
    if (!has(key)) return;
    JsonNode value = node.get(key);
    boolean empty = value.isContainerNode() ? value.isEmpty() : value.isBoolean() && !value.booleanValue();
    if (!empty) throw Failure.unsupported(where, key + " is " + shown(key) + ", which is not implemented");
  }

  private JsonNode required(String key) {
    if (!has(key)) throw Failure.bad(where, key + " is missing");
    return node.get(key);
  }

  private RuntimeException wrong(String key, String expected) {
    return Failure.bad(where, key + " is " + shown(key) + ", expected " + expected);
  }

  /** The value as JSON, cut for a message. */
  String shown(String key) {
    String json = String.valueOf(node.get(key));
    return json.length() > 80 ? json.substring(0, 77) + "..." : json;
  }

  private static String kind(JsonNode node) {
    return node.getNodeType().name().toLowerCase(Locale.ROOT);
  }
}
