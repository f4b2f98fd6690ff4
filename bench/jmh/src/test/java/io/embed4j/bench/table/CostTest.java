package io.embed4j.bench.table;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.node.ObjectNode;
import org.junit.jupiter.api.Test;

/** The operations of the published sizes, worked out by hand: per token 5.549 G in matrices, 0.120 G in an adapter of rank 32. */
class CostTest {
  private static final long ADAPTER = 59_867_136;

  private static ObjectNode full() {
    return Child.JSON.createObjectNode().put("hidden", 2048).put("intermediate", 11008).put("layers", 36).put("heads", 16)
        .put("key_value_heads", 2).put("head_dim", 128).put("adapter_parameters", ADAPTER).put("layer_bytes", 5_549_064_192L);
  }

  @Test
  void textsCostWhatTheirMatricesAndPairsDo() {
    Cost cost = Cost.of(full());
    assertEquals(5.549e9 + 0.1197e9, cost.matrices(), 1e6);
    assertEquals(5.744e9, cost.text(512) / 512, 2e6);
    assertEquals(6.876e9, cost.text(8192) / 8192, 3e6);
    assertEquals(5_549_064_192.0 + 2 * ADAPTER, cost.bytes());
  }

  @Test
  void aPageCostsTowerAndDecoder() {
    double tower = Cost.visionMatrices(3072, 2048) + Cost.visionAttention(3072);
    assertEquals(4.16e12, tower, 0.02e12);
    assertEquals(8.72e12, tower + Cost.of(full()).text(788), 0.03e12);
  }
}
