package io.embed4j.bench.table;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.bench.table.Bench.OpenModel;
import io.embed4j.bench.table.Row.Bound;
import io.embed4j.bench.table.Row.Outcome;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Memory, opening, what Java adds, and the kernels alone. */
final class MachineRows {
  private static final int OPENINGS = 5;
  private static final int QUERIES = 30;

  private MachineRows() {}

  static List<Row> of(List<String> types) {
    List<Row> rows = new ArrayList<>();
    for (String type : types) {
      rows.add(new Row("resident-" + type, TextRows.name(type) + ", resident memory of the process after opening / file size", "",
          Bound.most(1.10, 1.03), bench -> resident(bench, type)));
    }
    rows.add(new Row("open", "open the 6 GB text model (BF16), page cache warm", "s", Bound.most(2, 0.5),
        bench -> open(bench, bench.directory("bf16").resolve("text.gguf"))));
    rows.add(new Row("open-packed", "the same, packed (embed4j convert --packed)", "s", Bound.most(2, 0.5),
        MachineRows::openPacked));
    rows.add(new Row("java-time", "Java, query of 16 tokens: time outside the downcall", "us", Bound.most(200, 60),
        bench -> java(bench, "outside_us", 1)));
    rows.add(new Row("java-garbage", "Java, query of 16 tokens: garbage beyond the vector", "KB", Bound.most(8, 1),
        bench -> java(bench, "garbage_bytes", 1024)));
    return rows;
  }

  private static Outcome resident(Bench bench, String type) {
    bench.closeModel();
    OpenModel model = bench.model(type);
    double resident = model.ready().get("resident_bytes").asDouble();
    double files = model.ready().get("file_bytes").asDouble();
    bench.closeModel();
    return new Outcome(resident / files, "%.2f of %.2f GB; the JVM is part of it".formatted(resident / 1e9, files / 1e9),
        (ObjectNode) model.ready());
  }

  /** A packed model must give the vectors of the other. */
  private static Outcome openPacked(Bench bench) {
    Outcome outcome = open(bench, bench.packed("bf16").resolve("text.gguf"));
    Path rows = bench.directory("bf16").resolve("text.gguf");
    String expected = bench.model(rows, Map.of(), List.of(), "-").child().ask("query").get("sha256").asText();
    bench.closeModel();
    String found = outcome.details().get("sha256").asText();
    if (!found.equals(expected)) throw new IllegalStateException("a query's vector has SHA-256 " + found + ", unpacked " + expected);
    return outcome;
  }

  private static Outcome open(Bench bench, Path text) {
    Samples seconds = new Samples();
    Samples memory = new Samples();
    for (int i = 0; i < OPENINGS; i++) {
      bench.closeModel();
      Bench.readAll(text);
      memory.add(bench.newMemorySeconds(text.toFile().length()));
      seconds.add(bench.model(text, Map.of(), List.of(), "-").ready().get("open_seconds").asDouble());
    }
    String sha256 = bench.model(text, Map.of(), List.of(), "-").child().ask("query").get("sha256").asText();
    bench.closeModel();
    ObjectNode details = Child.JSON.createObjectNode().put("sha256", sha256);
    seconds.putInto(details, "seconds");
    memory.putInto(details, "new_memory_seconds");
    return new Outcome(seconds.median(), "a fresh JVM each time; writing once to as much new memory takes %.2f s".formatted(
        memory.median()), details);
  }

  private static Outcome java(Bench bench, String figure, double unit) {
    Path library = bench.settings.nativeBuild().resolve("bench/libembed4j_timed.so");
    String type = bench.settings.types().getLast();
    OpenModel model = bench.model(bench.directory(type), Map.of(), List.of("-Dembed4j.library=" + library), bench.tiny().toString());
    model.child().ask("query");
    Samples samples = new Samples();
    JsonNode answer = null;
    for (int i = 0; i < QUERIES; i++) {
      answer = model.child().ask("query");
      if (answer.get("tokens").asInt() != 16) throw new IllegalStateException(answer.get("tokens") + " tokens instead of 16");
      samples.add(answer.get(figure).asDouble() / unit);
    }
    ObjectNode details = Child.JSON.createObjectNode().put("sha256", answer.get("sha256").asText());
    samples.putInto(details, figure);
    return new Outcome(samples.median(), "%s model; %d queries, least %.1f, most %.1f".formatted(TextRows.name(type), QUERIES,
        samples.quantile(0), samples.quantile(1)), details);
  }
}
