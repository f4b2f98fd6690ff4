package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.ModelOptions;
import io.embed4j.convert.WeightType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Models on a GPU that the native tests emulate in host memory (native/src/cuda/emulated): the whole way from Java, without a
 * driver. Each in a JVM of its own, since environment variables name the libraries.
 */
class DeviceTest {
  private static final Path NATIVE = Path.of("../../native/target/cmake").toAbsolutePath().normalize();
  private static final Map<String, String> EMULATED = Map.of(
      "EMBED4J_CUDA_LIBRARY", NATIVE.resolve("libemulated_cuda.so").toString(),
      "EMBED4J_CUBLASLT_LIBRARY", NATIVE.resolve("libemulated_cublas_lt.so").toString());

  @Test
  void anEmulatedGpuAgreesWithTheReference() throws Exception {
    String output = java(EMULATED, "auto", TinyModel.of(WeightType.BF16), "agree");
    assertTrue(output.contains("cuda:0 emulated GPU (compute capability 9.0"), output);
    assertTrue(output.contains("texts: ") && output.contains("pictures: "), output);
  }

  /** What 8-bit floating point loses: scaled by rows as on Hopper, and as a whole as on every other GPU that has it. */
  @Test
  void fp8LosesWhatTheReadmeSays() throws Exception {
    for (Map.Entry<String, String> gpu : Map.of("90", "scaled by rows", "89", "scaled as a whole").entrySet()) {
      Map<String, String> environment = new HashMap<>(EMULATED);
      environment.put("EMULATED_CAPABILITY", gpu.getKey());
      String output = java(environment, "cuda", TinyModel.of(WeightType.BF16), "fp8");
      assertTrue(output.contains("the text decoder in fp8, " + gpu.getValue()) && output.contains("texts: "), output);
    }
  }

  /** Memory and streams of one device are errors on another, so this also shows that each batch keeps to its own. */
  @Test
  void batchesRunOnSeveralGpusSideBySide() throws Exception {
    Map<String, String> environment = new HashMap<>(EMULATED);
    environment.put("EMULATED_DEVICES", "2");
    String output = java(environment, "cuda:all", TinyModel.of(WeightType.BF16), "agree");
    assertTrue(output.contains("2 devices, the first: cuda:0 emulated GPU") && output.contains("pictures: "), output);
  }

  @Test
  void autoSaysOnceWhyItUsesTheCpu() throws Exception {
    String output = java(Map.of("EMBED4J_CUDA_LIBRARY", "/nowhere/libembed4j_cuda.so"), "auto", TinyModel.small(), "open");
    assertTrue(output.contains("cpu "), output);
    assertEquals(2, output.split("no GPU is used, the model runs on cpu", -1).length, output);
    assertTrue(output.contains("/nowhere/libembed4j_cuda.so: "), output);
  }

  @Test
  void cudaFailsWithAStableCode() throws Exception {
    Path nothing = Files.createTempFile("embed4j", ".so");
    String output = java(Map.of("EMBED4J_CUDA_LIBRARY", nothing.toString()), "cuda:0", TinyModel.small(), "open");
    Files.delete(nothing);
    assertTrue(output.startsWith(EmbeddingException.DEVICE_UNAVAILABLE + ": ") && output.contains(nothing.toString()), output);
  }

  private static String java(Map<String, String> environment, String device, Path model, String action) throws Exception {
    return ChildJvm.run(environment, Main.class, device, model.toString(), action);
  }

  /** Opens a model on a device and does one thing with it. */
  static final class Main {
    public static void main(String[] arguments) {
      ModelOptions options = ModelOptions.defaults().device(arguments[0]).maxBatchTokens(512)
          .precision(arguments[2].equals("fp8") ? "fp8" : "model");
      try (EmbeddingModel model = EmbeddingModel.open(Path.of(arguments[1]), options)) {
        System.out.println(model.runtime().device());
        switch (arguments[2]) {
          case "agree" -> agree(model);
          case "fp8" -> {
            Agreement agreement = Agreement.of(model, shortTexts());
            System.out.println("texts: " + agreement);
            agreement.requireWorst(0.983, 0.934); // twice the error that was seen
          }
          default -> { }
        }
      } catch (EmbeddingException e) {
        System.out.println(e.code() + ": " + e.getMessage());
      }
    }

    private static List<Reference.Case> shortTexts() {
      return Reference.TEXTS.stream().filter(text -> text.ids().length < 100).toList();
    }

    private static void agree(EmbeddingModel model) {
      Agreement agreement = Agreement.of(model, shortTexts());
      System.out.println("texts: " + agreement);
      agreement.require(WeightType.BF16);
      Agreement pictures = Agreement.of(model, Reference.FORMATS.stream().filter(p -> p.file().endsWith(".png")).limit(2).toList());
      System.out.println("pictures: " + pictures);
      pictures.requireOfPictures(WeightType.BF16);
    }
  }
}
