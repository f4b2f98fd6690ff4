package io.embed4j.bench.table;

import com.fasterxml.jackson.databind.JsonNode;
import java.awt.Color;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.Styler.LegendPosition;

/** throughput.png and latency.png from the rows of results.json. */
final class Plots {
  private static final int WIDTH = 900;
  private static final int HEIGHT = 560;

  private Plots() {}

  static void write(JsonNode rows, Path directory) {
    throughput(rows, directory.resolve("throughput.png"));
    latency(rows, directory.resolve("latency.png"));
  }

  private static void throughput(JsonNode rows, Path file) {
    Map<String, TreeMap<Integer, Double>> series = new TreeMap<>();
    rows.properties().forEach(entry -> {
      String[] words = entry.getKey().split("-");
      JsonNode details = entry.getValue().get("details");
      if (!details.has("tokens_per_s") || entry.getKey().startsWith("page")) return;
      String length = words[words.length - 1];
      int tokens = length.matches("\\d+") ? Integer.parseInt(length) : 32_768; // context-TYPE
      String type = words[words.length - (length.matches("\\d+") ? 2 : 1)];
      series.computeIfAbsent("Embed4J " + type, key -> new TreeMap<>()).put(tokens, details.get("tokens_per_s").asDouble());
      if (details.has("peer_tokens_per_s")) {
        String peer = String.join("-", List.of(words).subList(1, words.length - 2));
        series.computeIfAbsent(peer + " " + type, key -> new TreeMap<>()).put(tokens, details.get("peer_tokens_per_s").asDouble());
      }
    });
    if (series.isEmpty()) return;
    XYChart chart = new XYChartBuilder().width(WIDTH).height(HEIGHT).title("tokens/s against tokens of a text")
        .xAxisTitle("tokens").yAxisTitle("tokens/s").build();
    chart.getStyler().setXAxisLogarithmic(true).setYAxisMin(0.0).setLegendPosition(LegendPosition.OutsideE)
        .setChartBackgroundColor(Color.WHITE);
    series.forEach((name, points) -> chart.addSeries(name, new ArrayList<>(points.keySet()), new ArrayList<>(points.values())));
    save(chart, file);
  }

  private static void latency(JsonNode rows, Path file) {
    List<String> types = new ArrayList<>();
    List<Double> medians = new ArrayList<>();
    List<Double> tails = new ArrayList<>();
    rows.properties().forEach(entry -> {
      JsonNode details = entry.getValue().get("details");
      if (!details.has("p50_ms")) return;
      types.add(entry.getKey().substring(entry.getKey().indexOf('-') + 1));
      medians.add(details.get("p50_ms").asDouble());
      tails.add(details.get("p99_ms").asDouble());
    });
    if (types.isEmpty()) return;
    CategoryChart chart = new CategoryChartBuilder().width(WIDTH).height(HEIGHT).title("a query of 16 tokens, ms")
        .xAxisTitle("weights").yAxisTitle("ms").build();
    chart.getStyler().setLegendPosition(LegendPosition.OutsideE).setChartBackgroundColor(Color.WHITE);
    chart.addSeries("p50", types, medians);
    chart.addSeries("p99", types, tails);
    save(chart, file);
  }

  private static void save(Chart<?, ?> chart, Path file) {
    try {
      BitmapEncoder.saveBitmap(chart, file.toString(), BitmapFormat.PNG);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
