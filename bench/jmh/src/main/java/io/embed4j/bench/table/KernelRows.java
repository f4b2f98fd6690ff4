package io.embed4j.bench.table;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.bench.table.Row.Bound;
import io.embed4j.bench.table.Row.Outcome;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;

/** Matrix products and attention of the CPU backend alone, through bench/native. */
final class KernelRows {
  private static final int[] ROWS = {16, 64, 256, 512, 2048};

  /** y[n] = sum over k, so many times in a layer. */
  private record Matrix(int n, int k, int count) {}

  private static final List<Matrix> DECODER =
      List.of(new Matrix(2048, 2048, 2), new Matrix(256, 2048, 2), new Matrix(11008, 2048, 2), new Matrix(2048, 11008, 1));
  // Without the last matrix, whose 3,420 values no block of 32 divides.
  private static final List<Matrix> VISION = List.of(new Matrix(3840, 1280, 1), new Matrix(1280, 1280, 1), new Matrix(3420, 1280, 2));

  private KernelRows() {}

  static List<Row> of() {
    List<Row> rows = new ArrayList<>();
    for (int m : ROWS) {
      rows.add(new Row("gemm-bf16-" + m, "GEMM alone, BF16, " + m + " rows: oneDNN's time / own, a decoder layer", "",
          Bound.least(0.95, 1.02), bench -> againstOneDnn(bench, m, DECODER)));
    }
    rows.add(new Row("gemm-bf16-vision", "GEMM alone, BF16, 3,072 rows: oneDNN's time / own, a vision layer without down", "",
        Bound.least(0.95, 1.02), bench -> againstOneDnn(bench, 3072, VISION)));
    for (String type : List.of("bf16", "q8_0", "q4_k", "q6_k")) {
      for (int m : ROWS) {
        rows.add(new Row("kernel-" + type + "-" + m, "products of a decoder layer, " + TextRows.name(type) + ", " + m
            + " rows: share of the peak", "", null, bench -> ofPeak(bench, type, m)));
      }
    }
    for (int length : new int[] {512, 2048, 8192}) {
      rows.add(attention("attention-" + length, "causal attention of a decoder layer, " + length + " tokens: share of bf16's peak",
          "16 2 128 causal 1 " + length));
    }
    rows.add(attention("attention-windows", "attention of a vision layer, 48 windows of 64 patches: share of bf16's peak",
        "16 16 80 full 48 64"));
    rows.add(attention("attention-page", "attention of a vision layer, 3,072 patches: share of bf16's peak", "16 16 80 full 1 3072"));
    return rows;
  }

  private static Row attention(String id, String title, String arguments) {
    return new Row(id, title, "", null, bench -> {
      JsonNode answer = bench.ask("attention " + arguments);
      return new Outcome(answer.get("of_peak").asDouble(), "%.2f ms, %.0f GFLOP/s; off the definition by %.4f".formatted(
          1e3 * answer.get("seconds").asDouble(), answer.get("gops").asDouble(), answer.get("difference").asDouble()),
          (ObjectNode) answer);
    });
  }

  private static JsonNode own(Bench bench, String type, int m, Matrix matrix) {
    return bench.ask("gemm %s %d %d %d".formatted(type, m, matrix.n, matrix.k));
  }

  private static Outcome ofPeak(Bench bench, String type, int m) {
    ObjectNode details = Child.JSON.createObjectNode();
    ArrayNode matrices = details.putArray("matrices");
    double operations = 0;
    double seconds = 0;
    double possible = 0;
    for (Matrix matrix : DECODER) {
      JsonNode answer = own(bench, type, m, matrix);
      matrices.add(answer);
      operations += matrix.count * 2.0 * m * matrix.n * matrix.k;
      seconds += matrix.count * answer.get("seconds").asDouble();
      possible += matrix.count * 2.0 * m * matrix.n * matrix.k / answer.get("peak_gops").asDouble() / 1e9;
    }
    return new Outcome(possible / seconds, "%.2f ms, %.0f G/s; %s".formatted(1e3 * seconds, operations / seconds / 1e9,
        each(matrices, answer -> answer.get("of_peak").asDouble())), details);
  }

  private static Outcome againstOneDnn(Bench bench, int m, List<Matrix> layer) {
    ObjectNode details = Child.JSON.createObjectNode();
    ArrayNode matrices = details.putArray("matrices");
    double own = 0;
    double theirs = 0;
    try (Child peer = JavaPeers.oneDnn(bench.settings)) {
      for (Matrix matrix : layer) {
        Samples a = new Samples();
        Samples b = new Samples();
        JsonNode answer = null;
        for (int turn = 0; turn < 2; turn++) {
          answer = own(bench, "bf16", m, matrix);
          a.add(answer.get("seconds").asDouble());
          b.add(peer.ask("gemm %d %d %d".formatted(m, matrix.n, matrix.k)).get("seconds").asDouble());
        }
        ((ObjectNode) answer).put("seconds", a.quantile(0)).put("onednn_seconds", b.quantile(0));
        matrices.add(answer);
        own += matrix.count * a.quantile(0);
        theirs += matrix.count * b.quantile(0);
      }
    }
    return new Outcome(theirs / own, "%.2f against %.2f ms; %s".formatted(1e3 * own, 1e3 * theirs,
        each(matrices, answer -> answer.get("onednn_seconds").asDouble() / answer.get("seconds").asDouble())), details);
  }

  /** "2048x2048 0.91, ...". */
  private static String each(ArrayNode matrices, ToDoubleFunction<JsonNode> figure) {
    List<String> parts = new ArrayList<>();
    for (JsonNode answer : matrices) {
      parts.add("%dx%d %.2f".formatted(answer.get("n").asInt(), answer.get("k").asInt(), figure.applyAsDouble(answer)));
    }
    return String.join(", ", parts);
  }
}
