package io.embed4j.bench.table;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.bench.table.Row.Bound;
import io.embed4j.bench.table.Row.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ResultsTest {
  private static final Row ROW = new Row("query-q8_0", "a query", "", Bound.most(1.30, 1.15), bench -> null);

  @TempDir
  private Path folder;

  private static Outcome outcome(double value, String sha256) {
    ObjectNode details = Child.JSON.createObjectNode().put("cpu_tier", "avx512").put("sha256", sha256).put("p50_ms", 90).put("p99_ms", 99)
        .put("type", "q8_0").put("tokens", 16).put("tokens_per_s", 178);
    return new Outcome(value, "90 ms; limit 80 ms", details);
  }

  private static ObjectNode run(String commit) {
    return Child.JSON.createObjectNode().put("commit", commit).put("date", "2026-11-23");
  }

  @Test
  void rowsStayFromRunToRunAndAreJudged() throws IOException {
    new Results(folder).put(ROW, outcome(1.2, "aa"), run("one"));
    Results later = new Results(folder);
    later.put(new Row("peer", "a peer that aborts", "", Bound.least(1, 1.4), bench -> null),
        new Outcome(Double.NaN, "aborted", Child.JSON.createObjectNode()), run("two").put("others_share", 0.2));
    later.writeTable(List.of("query-q8_0", "peer", "not measured"), "a machine");
    List<String> table = Files.readAllLines(folder.resolve("table.md"));
    assertTrue(table.contains("| query-q8_0 | a query | 1.200 | 1.3 | 1.15 | gate | 90 ms; limit 80 ms | one |"), table.toString());
    assertTrue(table.contains("| peer | a peer that aborts | - | 1 | 1.4 | none | aborted; **not quiet: 20 % of the processors went to others** | two |"), table.toString());
    Plots.write(later.rows(), folder);
    assertTrue(Files.size(folder.resolve("latency.png")) > 1000);
    assertTrue(Files.size(folder.resolve("throughput-q8_0.png")) > 1000);
    later.writeTable(List.of("query-q8_0"), "a machine");
    String again = Files.readString(folder.resolve("table.md"));
    assertTrue(again.contains("](throughput-q8_0.png)"));
    assertTrue(again.indexOf("| query-q8_0 |") < again.indexOf("| peer |"), "a row the order does not name comes last: " + again);
  }

  @Test
  void whatOthersTakeIsAShare() {
    Neighbours neighbours = new Neighbours();
    double share = neighbours.share();
    assertTrue(share >= 0 && share <= 1, "share " + share);
  }

  @Test
  void anotherVectorAtTheSameCommitIsAnError() {
    Results results = new Results(folder);
    results.put(ROW, outcome(1.2, "aa"), run("one"));
    results.put(ROW, outcome(1.2, "bb"), run("two"));
    results.put(ROW, outcome(1.2, "cc"), run("two" + Main.CHANGES));
    results.put(ROW, outcome(1.1, "dd"), run("three"));
    assertThrows(IllegalStateException.class, () -> results.put(ROW, outcome(1.2, "ee"), run("three")));
    assertEquals("dd", new Results(folder).rows().path("query-q8_0").path("details").path("sha256").asText());
  }
}
