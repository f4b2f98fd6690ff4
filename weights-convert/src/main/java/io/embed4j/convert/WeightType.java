package io.embed4j.convert;

import io.embed4j.ffm.TensorType;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * What the weights are stored as: one type for every matrix, or a mix. Norms and biases are float32 always. The file
 * type numbers are llama.cpp's (llama.h, enum llama_ftype).
 */
public enum WeightType {
  F32(0, TensorType.F32),
  F16(1, TensorType.F16),
  BF16(32, TensorType.BF16),
  Q8_0(7, TensorType.Q8_0),
  Q6_K(18, TensorType.Q6_K),
  /** Q4_K, with Q6_K for the token embedding and for the value and down projections of some layers. */
  Q4_K_M(15, TensorType.Q4_K);

  private final int fileType;
  private final TensorType matrix;

  WeightType(int fileType, TensorType matrix) {
    this.fileType = fileType;
    this.matrix = matrix;
  }

  /** The type of a name as the command line spells it, in lower or upper case. */
  public static WeightType of(String name) {
    return Arrays.stream(values())
        .filter(type -> type.name().equalsIgnoreCase(name))
        .findFirst()
        .orElseThrow(() -> Failure.invalid("unknown weight type " + name + "; known are "
            + Arrays.stream(values()).map(WeightType::toString).collect(Collectors.joining(", "))));
  }

  /** general.file_type. */
  int fileType() {
    return fileType;
  }

  /** What most matrices are stored as. */
  TensorType matrix() {
    return matrix;
  }

  /** Whether matrices are stored in blocks of small integers. */
  boolean quantized() {
    return switch (matrix) {
      case F32, F16, BF16 -> false;
      default -> true;
    };
  }

  /** The type of the adapters and of the multi-vector head: too small to be worth quantising. */
  WeightType ofAdapters() {
    return quantized() ? BF16 : this;
  }

  /** The type of the vision tower: q8_0 at the least, the smallest that llama.cpp's converter gives a projector. */
  WeightType ofVision() {
    return quantized() ? Q8_0 : this;
  }

  /** As the command line spells it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
