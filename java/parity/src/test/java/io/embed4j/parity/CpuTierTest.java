package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.convert.WeightType;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every tier this machine can run, each in a JVM of its own since the tier is chosen once per process. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CpuTierTest {
  private static final List<WeightType> TYPES = List.of(WeightType.F32, WeightType.BF16, WeightType.Q8_0, WeightType.Q4_K_M);

  List<String> tiers() {
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.small())) {
      return model.runtime().cpuTiers();
    }
  }

  @ParameterizedTest
  @MethodSource("tiers")
  void everyTierAgreesWithTheReference(String tier) throws Exception {
    String output = java(tier, TYPES.stream().map(type -> type + "=" + TinyModel.of(type)).toArray(String[]::new));
    System.out.print(output);
    assertEquals(TYPES.size(), output.lines().filter(line -> line.startsWith(tier + " ")).count(), output);
  }

  @Test
  void aTierThatThisMachineLacksIsRefusedByName() throws Exception {
    String output = java("warp9", "f32=" + TinyModel.small());
    assertTrue(output.startsWith(EmbeddingException.INVALID_ARGUMENT) && output.contains("warp9"), output);
  }

  /** All texts; on the slow scalar tier some short ones of each task. */
  private static List<Reference.Case> texts(String tier) {
    if (!tier.equals("scalar")) return Reference.TEXTS;
    return IntStream.range(0, Reference.TEXTS.size()).filter(i -> i % 7 == 0).mapToObj(Reference.TEXTS::get)
        .filter(text -> text.ids().length < 60).toList();
  }

  private static String java(String tier, String... arguments) throws Exception {
    return ChildJvm.run(Map.of("EMBED4J_CPU_TIER", tier), Main.class, arguments);
  }

  /** Compares models, given as type=directory, with the reference and prints a line for each. */
  static final class Main {
    public static void main(String[] arguments) {
      try {
        for (String argument : arguments) {
          String[] parts = argument.split("=", 2);
          try (EmbeddingModel model = EmbeddingModel.open(Path.of(parts[1]))) {
            Agreement agreement = Agreement.of(model, texts(model.runtime().cpuTier()));
            agreement.require(WeightType.of(parts[0]));
            System.out.println(model.runtime().cpuTier() + " " + parts[0] + ": " + agreement);
            if (parts[0].equals("q4_k_m")) continue; // it has no bar for pictures
            Agreement pictures = Agreement.of(model, Reference.FORMATS.stream().filter(p -> !p.file().endsWith(".jpg")).toList());
            pictures.requireOfPictures(WeightType.of(parts[0]));
            System.out.println("pictures: " + pictures);
          }
        }
      } catch (EmbeddingException e) {
        System.out.println(e.code() + ": " + e.getMessage());
      }
    }
  }
}
