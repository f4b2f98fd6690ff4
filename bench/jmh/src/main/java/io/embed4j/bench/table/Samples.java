package io.embed4j.bench.table;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Values of one quantity, taken in turns with those of others. */
final class Samples {
  private final List<Double> values = new ArrayList<>();

  void add(double value) {
    values.add(value);
  }

  /** The value that a share of all lies at or below: 0.5 is the median. */
  double quantile(double share) {
    double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    double at = share * (sorted.length - 1);
    int low = (int) at;
    int high = Math.min(low + 1, sorted.length - 1);
    return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
  }

  double median() {
    return quantile(0.5);
  }

  int size() {
    return values.size();
  }

  /** Median, extremes and number under a name. */
  void putInto(ObjectNode json, String name) {
    ObjectNode node = json.putObject(name).put("median", median()).put("min", quantile(0)).put("max", quantile(1));
    ArrayNode array = node.putArray("samples");
    if (values.size() <= 20) values.forEach(array::add);
    else node.put("count", values.size()).remove("samples");
  }

  @Override
  public String toString() {
    return Arrays.toString(values.toArray());
  }
}
