package io.embed4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.EmbeddingException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SynthCheckpointTest {
  @TempDir Path temp;

  /** The golden hashes are those of the Python reference's tensors (numpy and safetensors), salt "pepper". */
  @ParameterizedTest
  @EnumSource
  void tinyIsTheReferenceBitForBit(SynthConfig.Style style) throws Exception {
    Path directory = temp.resolve("tiny");
    new SynthCheckpoint(SynthConfig.TINY, "pepper", style).write(directory, false, Progress.NONE);

    TreeSet<String> lines = new TreeSet<>();
    Tensors.read(directory.resolve("model.safetensors"))
        .forEach((name, tensor) -> lines.add(line(flat(name), tensor)));
    Tensors.read(directory.resolve("adapters/adapter_model.safetensors"))
        .forEach((name, tensor) -> lines.add(line("base_model.model." + flat(name.substring(17)), tensor)));
    try (var golden = getClass().getResourceAsStream("tiny-pepper.sha256")) {
      String expected = new String(golden.readAllBytes(), StandardCharsets.UTF_8);
      assertEquals(String.join("\n", new TreeSet<>(expected.lines().toList())), String.join("\n", lines));
    }
  }

  @Test
  void namesFollowTheStyle() throws IOException {
    Path nested = MiniModel.write(temp.resolve("nested"), SynthConfig.Style.NESTED);
    Map<String, Tensors.Tensor> tensors = Tensors.read(nested.resolve("model.safetensors"));
    assertTrue(tensors.containsKey("model.language_model.layers.0.self_attn.q_proj.weight"));
    assertTrue(tensors.containsKey("model.visual.merger.ln_q.weight"));
    assertTrue(tensors.containsKey("multi_vector_projector.bias"));
    assertTrue(Tensors.read(nested.resolve("adapters/adapter_model.safetensors"))
        .containsKey("base_model.model.model.language_model.layers.0.mlp.up_proj.lora_B.text-matching.weight"));
    ObjectNode config = MiniModel.object(Files.readString(nested.resolve("config.json")));
    assertEquals(256, config.path("text_config").path("hidden_size").intValue());
    assertTrue(config.path("hidden_size").isMissingNode());
  }

  @Test
  void anotherSaltGivesOtherWeights() {
    SynthTensor a = SynthWeights.model(MiniModel.CONFIG, "a").getFirst();
    SynthTensor b = SynthWeights.model(MiniModel.CONFIG, "b").getFirst();
    assertTrue(java.util.stream.LongStream.range(0, 100).filter(i -> a.bf16(i) == b.bf16(i)).count() < 10);
  }

  @Test
  void theFullConfigHasThePublishedShapes() {
    Map<String, Shape> shapes = new java.util.HashMap<>();
    SynthWeights.model(SynthConfig.FULL, "").forEach(tensor -> shapes.put(tensor.name(), tensor.shape()));
    assertEquals(Shape.of(151936, 2048), shapes.get("model.embed_tokens.weight"));
    assertEquals(Shape.of(2048, 11008), shapes.get("model.layers.35.mlp.down_proj.weight"));
    assertEquals(Shape.of(1280, 3, 2, 14, 14), shapes.get("visual.patch_embed.proj.weight"));
    assertEquals(Shape.of(2048, 5120), shapes.get("visual.merger.mlp.2.weight"));
    assertEquals(1518, SynthWeights.adapters(SynthConfig.FULL, "").size(), "as many as in the published file");
  }

  @Test
  void unknownNamesAreRefusedWithTheKnownOnes() {
    assertMessage("unknown config medium; known are tiny, small, full", () -> SynthConfig.of("medium"));
    assertMessage("unknown style round; known are flat, nested", () -> SynthConfig.Style.of("round"));
    assertMessage("unknown weight type q3_k; known are f32, f16, bf16, q8_0, q6_k, q4_k_m",
        () -> WeightType.of("q3_k"));
  }

  private static void assertMessage(String expected, org.junit.jupiter.api.function.Executable code) {
    assertEquals(expected, assertThrows(EmbeddingException.class, code).getMessage());
  }

  private static String flat(String name) {
    return name.replace("model.language_model.", "model.").replace("model.visual.", "visual.");
  }

  private static String line(String name, Tensors.Tensor tensor) {
    try {
      List<Long> shape = tensor.shape();
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(tensor.bytes());
      return HexFormat.of().formatHex(hash) + " " + name + " " + shape;
    } catch (java.security.NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }
}
