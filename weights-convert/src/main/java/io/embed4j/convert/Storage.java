package io.embed4j.convert;

import io.embed4j.ffm.TensorType;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Chooses the type of each matrix of one file. The q4_k_m mix is llama.cpp's for a model whose embedding is also its
 * output (llama-quant.cpp, llama_tensor_get_type). A row that a type's blocks do not divide is stored as q8_0 (blocks
 * of 32), else as bf16.
 */
final class Storage {
  private static final Logger LOG = LoggerFactory.getLogger(Storage.class);

  private final WeightType weights;
  /** Per type fallen back to: tensor names with layer numbers left out, and how many. */
  private final Map<TensorType, Map<String, Integer>> fallbacks = new LinkedHashMap<>();

  Storage(WeightType weights) {
    this.weights = weights;
  }

  TensorType matrix(String name, long cols) {
    return dividing(name, weights.matrix(), cols);
  }

  /** The token embedding, which llama.cpp stores as it would the output matrix. */
  TensorType embedding(String name, long cols) {
    return dividing(name, weights == WeightType.Q4_K_M ? TensorType.Q6_K : weights.matrix(), cols);
  }

  /** A value or down projection: the mix gives more bits to those of the first and last eighth and of every third. */
  TensorType sensitive(String name, int layer, int layers, long cols) {
    boolean more = layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
    return dividing(name, weights == WeightType.Q4_K_M && more ? TensorType.Q6_K : weights.matrix(), cols);
  }

  /** Says once which matrices of a file are stored otherwise than asked. */
  void report(String file) {
    fallbacks.forEach((type, names) -> LOG.info("{}: stored as {}, since blocks do not divide their rows: {}", file,
        type.name().toLowerCase(Locale.ROOT), names.entrySet().stream()
            .map(name -> name.getValue() + " x " + name.getKey())
            .collect(Collectors.joining(", "))));
  }

  private TensorType dividing(String name, TensorType wanted, long cols) {
    TensorType type = wanted;
    if (cols % block(type) != 0) type = TensorType.Q8_0;
    if (cols % block(type) != 0) type = TensorType.BF16;
    if (type != wanted) {
      fallbacks.computeIfAbsent(type, key -> new LinkedHashMap<>())
          .merge(name.replaceAll("\\.\\d+\\.", ".*."), 1, Integer::sum);
    }
    return type;
  }

  /** Values of a block. */
  private static int block(TensorType type) {
    return switch (type) {
      case F32, F16, BF16 -> 1;
      case Q8_0 -> 32;
      case Q4_K, Q5_K, Q6_K -> 256;
    };
  }
}
