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

/** Throughput against length, a plot per type, and the latency of a query, from the rows of results.json. */
final class Plots {
  private static final int WIDTH = 900;
  private static final int HEIGHT = 560;
  private static final String OWN = "Embed4J";

  /** The file of the plot of a query's latency. */
  static final String LATENCY = "latency.png";

  private Plots() {}

  static void write(JsonNode rows, Path directory) {
    Map<String, Map<String, TreeMap<Integer, Double>>> byType = new TreeMap<>(); // type -> who -> tokens -> tokens/s
    rows.properties().forEach(entry -> {
      JsonNode details = entry.getValue().get("details");
      if (!details.has("tokens_per_s") || !details.has("type")) return;
      int tokens = details.get("tokens").asInt();
      var series = byType.computeIfAbsent(details.get("type").asText(), key -> new TreeMap<>());
      series.computeIfAbsent(OWN, key -> new TreeMap<>()).put(tokens, details.get("tokens_per_s").asDouble());
      if (details.has("peer")) {
        series.computeIfAbsent(details.get("peer").asText(), key -> new TreeMap<>())
            .put(tokens, details.get("peer_tokens_per_s").asDouble());
      }
    });
    byType.forEach((type, series) -> throughput(type, series, directory.resolve(throughputName(type))));
    latency(rows, directory.resolve(LATENCY));
  }

  /** The file of a type's plot of throughput against length. */
  static String throughputName(String type) {
    return "throughput-" + type + ".png";
  }

  private static void throughput(String type, Map<String, TreeMap<Integer, Double>> series, Path file) {
    XYChart chart = new XYChartBuilder().width(WIDTH).height(HEIGHT).title(TextRows.name(type) + ": tokens/s against tokens of a text")
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
