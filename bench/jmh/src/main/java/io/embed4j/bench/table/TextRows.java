package io.embed4j.bench.table;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.bench.table.Bench.OpenModel;
import io.embed4j.bench.table.Row.Bound;
import io.embed4j.bench.table.Row.Outcome;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Texts and pages through the Java API, adapters on, against what the machine can do. */
final class TextRows {
  private static final int BASE = 512;
  private static final int QUERY = 16;
  private static final int QUERIES = 5; // in a round
  private static final int CONTEXT = 32_768;
  private static final int PATCHES = 3072;
  private static final int MIXED_TEXTS = 6;
  private static final int MIXED_TOKENS = 128;

  private TextRows() {}

  static List<Row> of(List<String> types) {
    List<Row> rows = new ArrayList<>();
    for (String type : types) {
      if (type.equals("q4_k_m")) {
        rows.add(new Row("text-q4_k_m-512", "Q4_K_M / own Q8_0 at 512 tokens", "", Bound.least(0.88, 0.95), TextRows::againstQ8));
      } else {
        Bound bound = type.equals("bf16") ? Bound.least(0.80, 0.90) : Bound.least(0.62, 0.75);
        rows.add(new Row("text-" + type + "-512", name(type) + ", 512 tokens: tokens/s x operations a token / peak of "
            + (type.equals("bf16") ? "bf16" : "int8"), "", bound, bench -> text(bench, type)));
      }
      rows.add(new Row("query-" + type, name(type) + ", query of 16 tokens: time / max(weight bytes / read rate, operations / peak)",
          "", Bound.most(1.30, 1.15), bench -> query(bench, type)));
      for (int length : new int[] {2048, 8192}) {
        rows.add(new Row("long-" + type + "-" + length, name(type) + ", " + length + " tokens: share of the limit / that at 512", "",
            Bound.least(0.92, 0.97), bench -> longText(bench, type, length)));
      }
      rows.add(new Row("context-" + type, name(type) + ", 32,768 tokens: completes; most memory over the weights", "GB",
          Bound.most(2, 1), bench -> context(bench, type)));
      if (!type.equals("q4_k_m")) {
        Bound bound = type.equals("bf16") ? Bound.least(0.75, 0.85) : Bound.least(0.60, 0.72);
        rows.add(new Row("page-" + type, name(type) + ", page of 3,072 patches: limit time / own time", "", bound,
            bench -> page(bench, type)));
      }
      rows.add(new Row("mixed-" + type, name(type) + ", three tasks in one batch / one task, throughput", "",
          Bound.least(0.96, 0.98), bench -> mixed(bench, type)));
      rows.add(new Row("scalar-" + type, name(type) + ", 8 tokens: cosine with the scalar tier's vector", "",
          type.equals("bf16") ? Bound.least(0.99999, 0.999999) : Bound.least(0.999, 0.9995), bench -> scalar(bench, type)));
    }
    return rows;
  }

  static String name(String type) {
    return type.toUpperCase(Locale.ROOT);
  }

  /** Seconds at the limit: matrices by the type's best instruction, attention by bf16's. */
  private static double limit(Bench bench, Cost cost, String type, int tokens) {
    return cost.matrices() * tokens / bench.peak(type) + cost.attention(tokens) / bench.peak("bf16");
  }

  private static Outcome text(Bench bench, String type) {
    OpenModel model = bench.model(type);
    model.text(BASE);
    Samples seconds = new Samples();
    JsonNode answer = null;
    for (int i = 0; i < bench.settings.runs(); i++) {
      bench.peak(type);
      answer = model.text(BASE);
      seconds.add(answer.get("seconds").asDouble());
    }
    double peak = bench.peak(type);
    ObjectNode details = throughput(model, answer, type, BASE, seconds.median())
        .put("gop_per_token", model.cost().text(BASE) / BASE / 1e9).put("peak_per_s", peak);
    seconds.putInto(details, "seconds");
    return new Outcome(model.cost().text(BASE) / seconds.median() / peak,
        "%.1f tokens/s; peak %.0f G/s".formatted(BASE / seconds.median(), peak / 1e9), details);
  }

  private static Outcome againstQ8(Bench bench) {
    Samples q4 = new Samples();
    Samples q8 = new Samples();
    JsonNode answer = null;
    OpenModel model = null;
    for (int round = 0; round < 2; round++) { // turns of models, since two of them at once may not fit into memory
      for (String type : List.of("q8_0", "q4_k_m")) {
        model = bench.model(type);
        model.text(BASE);
        for (int i = 0; i < (bench.settings.runs() + 1) / 2; i++) {
          answer = model.text(BASE);
          (type.equals("q8_0") ? q8 : q4).add(answer.get("seconds").asDouble());
        }
      }
    }
    ObjectNode details = throughput(model, answer, "q4_k_m", BASE, q4.median());
    q4.putInto(details, "seconds");
    q8.putInto(details, "q8_0_seconds");
    return new Outcome(q8.median() / q4.median(),
        "%.1f against %.1f tokens/s".formatted(BASE / q4.median(), BASE / q8.median()), details);
  }

  private static Outcome query(Bench bench, String type) {
    OpenModel model = bench.model(type);
    for (int i = 0; i < 3; i++) model.text(QUERY);
    Samples seconds = new Samples();
    JsonNode answer = null;
    double limit = 0;
    for (int i = 0; i < bench.settings.runs(); i++) {
      limit = Math.max(model.cost().bytes() / bench.readRate(), model.cost().text(QUERY) / bench.peak(type));
      for (int j = 0; j < QUERIES; j++) {
        answer = model.text(QUERY);
        seconds.add(answer.get("seconds").asDouble());
      }
    }
    ObjectNode details = throughput(model, answer, type, QUERY, seconds.median()).put("limit_seconds", limit)
        .put("p50_ms", 1e3 * seconds.median()).put("p99_ms", 1e3 * seconds.quantile(0.99));
    seconds.putInto(details, "seconds");
    return new Outcome(seconds.median() / limit, "%.0f ms; limit %.0f ms".formatted(1e3 * seconds.median(), 1e3 * limit), details);
  }

  private static Outcome longText(Bench bench, String type, int tokens) {
    OpenModel model = bench.model(type);
    model.text(BASE);
    Samples base = new Samples();
    Samples seconds = new Samples();
    JsonNode answer;
    double limit;
    double baseLimit;
    do {
      base.add(model.text(BASE).get("seconds").asDouble());
      limit = limit(bench, model.cost(), type, tokens);
      answer = model.text(tokens);
      seconds.add(answer.get("seconds").asDouble());
      baseLimit = limit(bench, model.cost(), type, BASE);
      base.add(model.text(BASE).get("seconds").asDouble());
    } while (seconds.size() < bench.settings.runsOf(seconds.median()));
    double share = limit / seconds.median();
    double baseShare = baseLimit / base.median();
    ObjectNode details = throughput(model, answer, type, tokens, seconds.median()).put("share", share).put("share_at_512", baseShare);
    seconds.putInto(details, "seconds");
    base.putInto(details, "seconds_at_512");
    return new Outcome(share / baseShare, "%.1f tokens/s; %.2f of the limit, %.2f at 512".formatted(tokens / seconds.median(),
        share, baseShare), details);
  }

  private static Outcome context(Bench bench, String type) {
    OpenModel model = bench.model(type);
    model.child().ask("forget-peak");
    JsonNode answer = model.text(CONTEXT);
    double peak = model.child().ask("memory").get("peak_resident_bytes").asDouble();
    double over = (peak - model.ready().get("weight_bytes").asDouble()) / 1e9;
    ObjectNode details = throughput(model, answer, type, CONTEXT, answer.get("seconds").asDouble())
        .put("peak_resident_bytes", peak).put("weight_bytes", model.ready().get("weight_bytes").asDouble());
    details.put("limit_share", limit(bench, model.cost(), type, CONTEXT) / answer.get("seconds").asDouble());
    return new Outcome(over, "%.1f tokens/s, %.0f s; the JVM is part of it".formatted(
        CONTEXT / answer.get("seconds").asDouble(), answer.get("seconds").asDouble()), details);
  }

  private static Outcome page(Bench bench, String type) {
    OpenModel model = bench.model(type);
    JsonNode answer = model.child().ask("page");
    int tokens = answer.get("tokens").asInt();
    double hidden = model.ready().get("hidden").asDouble();
    double down = Cost.visionDown(PATCHES);
    double matrices = Cost.visionMatrices(PATCHES, hidden) - down + model.cost().matrices() * tokens;
    double attention = Cost.visionAttention(PATCHES) + model.cost().attention(tokens);
    double operations = matrices + down + attention;
    Samples seconds = new Samples();
    double limit;
    do {
      answer = model.child().ask("page");
      seconds.add(answer.get("seconds").asDouble());
      limit = matrices / bench.peak(type) + (down + attention) / bench.peak("bf16");
    } while (seconds.size() < bench.settings.runsOf(seconds.median()));
    ObjectNode details = details(model, answer).put("tera_operations", operations / 1e12).put("tokens", tokens);
    seconds.putInto(details, "seconds");
    return new Outcome(limit / seconds.median(),
        "%.1f s a page; limit %.1f s, %.2f T operations".formatted(seconds.median(), limit, operations / 1e12), details);
  }

  private static Outcome mixed(Bench bench, String type) {
    OpenModel model = bench.model(type);
    String question = "batch " + MIXED_TEXTS + " " + MIXED_TOKENS + " ";
    model.child().ask(question + 3);
    Samples one = new Samples();
    Samples three = new Samples();
    Samples ratios = new Samples();
    JsonNode answer;
    do {
      double a = model.child().ask(question + 1).get("seconds").asDouble();
      answer = model.child().ask(question + 3);
      double b = answer.get("seconds").asDouble();
      double c = model.child().ask(question + 1).get("seconds").asDouble();
      one.add((a + c) / 2);
      three.add(b);
      ratios.add((a + c) / 2 / b);
    } while (three.size() < Math.max(3, bench.settings.runsOf(3 * three.median())));
    ObjectNode details = details(model, answer);
    one.putInto(details, "one_seconds");
    three.putInto(details, "three_seconds");
    return new Outcome(ratios.median(), "%d texts of %d tokens: %.1f against %.1f tokens/s".formatted(MIXED_TEXTS, MIXED_TOKENS,
        MIXED_TEXTS * MIXED_TOKENS / three.median(), MIXED_TEXTS * MIXED_TOKENS / one.median()), details);
  }

  private static Outcome scalar(Bench bench, String type) {
    JsonNode own = bench.model(type).child().ask("vector 8").get("vector");
    OpenModel scalar = bench.model(bench.directory(type), Map.of("EMBED4J_CPU_TIER", "scalar"), List.of(), "-");
    double cosine = cosine(own, scalar.child().ask("vector 8").get("vector"));
    return new Outcome(cosine, "against " + scalar.ready().get("cpu_tier").asText(), Child.JSON.createObjectNode());
  }

  static double cosine(JsonNode a, JsonNode b) {
    if (a.size() != b.size()) throw new IllegalStateException("vectors of " + a.size() + " and " + b.size() + " values");
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < a.size(); i++) {
      ab += a.get(i).asDouble() * b.get(i).asDouble();
      aa += a.get(i).asDouble() * a.get(i).asDouble();
      bb += b.get(i).asDouble() * b.get(i).asDouble();
    }
    return ab / Math.sqrt(aa * bb);
  }

  /** The details of a row that stands in the plot of its type. */
  private static ObjectNode throughput(OpenModel model, JsonNode answer, String type, int tokens, double seconds) {
    return details(model, answer).put("type", type).put("tokens", tokens).put("tokens_per_s", tokens / seconds);
  }

  private static ObjectNode details(OpenModel model, JsonNode answer) {
    return Child.JSON.createObjectNode().put("cpu_tier", model.ready().get("cpu_tier").asText())
        .put("threads", model.ready().get("threads").asInt()).put("sha256", answer.get("sha256").asText());
  }
}
