package io.embed4j.cli.job;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.Embedding;
import io.embed4j.Outcome;
import io.embed4j.cli.base.Json;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** What was done so far, runs before a resume included. Not thread-safe. */
final class Tally {
  private long embedded;
  private long tokens;
  private long images;
  private final Map<String, Long> failed = new TreeMap<>();

  /** Of an earlier run. */
  static Tally of(JsonNode json) {
    Tally tally = new Tally();
    tally.embedded = json.get("embedded").longValue();
    tally.tokens = json.get("tokens").longValue();
    tally.images = json.get("images").longValue();
    json.get("failed").properties().forEach(entry -> tally.failed.put(entry.getKey(), entry.getValue().longValue()));
    return tally;
  }

  ObjectNode json() {
    ObjectNode json = Json.MAPPER.createObjectNode().put("embedded", embedded).put("tokens", tokens).put("images", images);
    ObjectNode causes = json.putObject("failed");
    failed.forEach(causes::put);
    return json;
  }

  void add(Outcome outcome) {
    switch (outcome) {
      case Outcome.Success(Embedding embedding) -> {
        embedded++;
        tokens += embedding.tokens();
        if (embedding.grid().isPresent()) images++;
      }
      case Outcome.Failure failure -> failed.merge(failure.error().code(), 1L, Long::sum);
    }
  }

  /** Rows, those that failed among them. */
  long items() {
    return embedded + failed();
  }

  long tokens() {
    return tokens;
  }

  long images() {
    return images;
  }

  long failed() {
    return failed.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Such as {@code 12 failed (10 bad_image, 2 too_long)}. */
  String failures() {
    return String.format(Locale.ROOT, "%,d failed", failed()) + (failed.isEmpty() ? "" : failed.entrySet().stream()
        .map(cause -> String.format(Locale.ROOT, "%,d %s", cause.getValue(), cause.getKey()))
        .collect(Collectors.joining(", ", " (", ")")));
  }
}
