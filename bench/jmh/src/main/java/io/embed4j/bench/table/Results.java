package io.embed4j.bench.table;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * What was measured on a machine: results.json, and table.md made from it. A row measured again replaces its earlier figures;
 * rows not measured this time stay, with the commit they were measured at.
 */
final class Results {
  private static final double DISTURBED = 0.05; // of the processors' time

  private final Path directory;
  private final ObjectNode rows;

  Results(Path directory) {
    this.directory = directory;
    Path file = directory.resolve("results.json");
    try {
      Files.createDirectories(directory);
      this.rows = Files.isRegularFile(file) ? (ObjectNode) Child.JSON.readTree(file.toFile()) : Child.JSON.createObjectNode();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  JsonNode rows() {
    return rows;
  }

  /**
   * Keeps a row's outcome.
   *
   * @param run who measured it: machine, commit, command, date
   */
  void put(Row row, Row.Outcome outcome, ObjectNode run) {
    ObjectNode json = Child.JSON.createObjectNode().put("title", row.title()).put("unit", row.unit()).put("says", outcome.says());
    if (!Double.isNaN(outcome.value())) json.put("value", outcome.value());
    if (row.bound() != null) {
      json.put("gate", row.bound().gate()).put("goal", row.bound().goal()).put("better", row.bound().least() ? "more" : "less");
      json.put("pass", verdict(row.bound(), outcome.value()));
    }
    String before = rows.path(row.id()).path("details").path("sha256").asText("");
    String after = outcome.details().path("sha256").asText("");
    boolean comparable = !before.isEmpty() && !run.get("commit").asText().endsWith(Main.CHANGES)
        && rows.path(row.id()).path("run").path("commit").equals(run.get("commit"))
        && rows.path(row.id()).path("details").path("cpu_tier").equals(outcome.details().path("cpu_tier"));
    if (comparable && !before.equals(after)) {
      throw new IllegalStateException(row.id() + ": the vector's hash is " + after + ", it was " + before + " at the same commit");
    }
    json.set("details", outcome.details());
    json.set("run", run);
    rows.set(row.id(), json);
    write();
  }

  private static String verdict(Row.Bound bound, double value) {
    if (Double.isNaN(value)) return "none";
    return bound.reachesGoal(value) ? "goal" : bound.passes(value) ? "gate" : "no";
  }

  private void write() {
    try {
      Files.writeString(directory.resolve("results.json"),
          Child.JSON.writer().with(SerializationFeature.INDENT_OUTPUT).writeValueAsString(rows) + "\n");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Writes table.md: the rows in this order, then those it does not name, such as texts of another length. */
  void writeTable(List<String> order, String machine) {
    List<String> lines = new ArrayList<>(List.of("# " + directory.getFileName(), "", machine, "",
        "Ratios within one run, medians; [bench/README.md](../../README.md) says what each row means. *pass*: the better of gate and "
            + "goal that was reached.", "",
        "| row | what | value | gate | goal | pass | made of | commit |", "|---|---|---|---|---|---|---|---|"));
    Set<String> ids = new LinkedHashSet<>(order);
    rows.fieldNames().forEachRemaining(ids::add);
    for (String id : ids) {
      JsonNode row = rows.get(id);
      if (row == null) continue;
      lines.add("| " + String.join(" | ", id, row.get("title").asText(), row.has("value") ? number(row, "value") : "-",
          number(row, "gate"), number(row, "goal"), row.path("pass").asText(""), row.get("says").asText().replace("|", "/") + disturbed(row),
          row.get("run").get("commit").asText()) + " |");
    }
    for (String type : List.of("bf16", "q8_0", "q4_k_m")) addPlot(lines, type + ", tokens/s against length", Plots.throughputName(type));
    addPlot(lines, "latency of a query", Plots.LATENCY);
    try {
      Files.write(directory.resolve("table.md"), lines);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String disturbed(JsonNode row) {
    double others = row.get("run").path("others_share").asDouble();
    return others < DISTURBED ? "" : String.format(Locale.ROOT, "; **not quiet: %.0f %% of the processors went to others**", 100 * others);
  }

  private void addPlot(List<String> lines, String title, String file) {
    if (Files.isRegularFile(directory.resolve(file))) lines.addAll(List.of("", "![" + title + "](" + file + ")"));
  }

  private static String number(JsonNode row, String field) {
    if (!row.has(field)) return "";
    double value = row.get(field).asDouble();
    String unit = row.get("unit").asText();
    String text = String.format(Locale.ROOT, value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.3f", value);
    if (!field.equals("value")) text = text.contains(".") ? text.replaceAll("0+$", "").replaceAll("\\.$", "") : text;
    return unit.isEmpty() ? text : text + " " + unit;
  }
}
