package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.convert.Conversion;
import io.embed4j.convert.WeightType;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Models whose weights are used where their files are mapped. */
class PackedModelTest {
  @TempDir
  Path folder;

  @ParameterizedTest
  @EnumSource
  void givesTheSameVectorsBitForBit(WeightType type) {
    List<EmbeddingRequest> requests = requests();
    List<float[]> expected = values(TinyModel.of(type), requests);
    Path packed = packed(type);
    List<float[]> found = values(packed, requests);
    for (int i = 0; i < requests.size(); i++) assertArrayEquals(expected.get(i), found.get(i), "item " + i);
    try (EmbeddingModel model = EmbeddingModel.open(packed)) {
      assertTrue(model.info().files().stream().allMatch(file -> file.tensorTypes().keySet().stream().anyMatch(t -> t.endsWith(" packed"))));
      assertTrue(model.info().files().getFirst().tensorTypes().containsKey("f32"), "norms and biases are as ever");
    }
  }

  @Test
  void aFileReplacedByRenameIsNotNoticedAndOneCutShortIsAnErrorOfEveryCall() throws IOException {
    Path packed = packed(WeightType.BF16);
    Path text = packed.resolve("text.gguf");
    EmbeddingRequest request = EmbeddingRequest.text("Mars is red.");
    try (EmbeddingModel model = EmbeddingModel.open(packed); EmbeddingModel other = EmbeddingModel.open(TinyModel.small())) {
      float[] expected = model.embed(request).dense().toArray();
      Path moved = Files.move(text, folder.resolve("moved.gguf"));
      Files.writeString(text, "something else");
      assertArrayEquals(expected, model.embed(request).dense().toArray());
      try (RandomAccessFile file = new RandomAccessFile(moved.toFile(), "rw")) {
        file.setLength(8192);
      }
      for (int i = 0; i < 3; i++) {
        EmbeddingException e = assertThrows(EmbeddingException.class, () -> model.embed(request));
        assertEquals(EmbeddingException.IO_ERROR, e.code());
        assertTrue(e.getMessage().contains("text.gguf: the file was cut short"), e.getMessage());
      }
      assertFalse(Float.isNaN(other.embed(request).dense().toArray()[0]));
    }
  }

  private Path packed(WeightType type) {
    Path model = folder.resolve(type.toString());
    Conversion.of(TinyModel.checkpoint()).to(model).type(type).packed(true).run();
    return model;
  }

  /** Texts of all tasks, dense and multi-vector, and pictures. */
  private static List<EmbeddingRequest> requests() {
    List<EmbeddingRequest> requests = new ArrayList<>();
    for (int i = 0; i < Reference.TEXTS.size(); i += 9) {
      requests.add(Reference.TEXTS.get(i).request().maxTokens(100).truncate(true).multiVector(i % 2 == 0));
    }
    requests.add(Reference.PICTURES.getFirst().request());
    return requests;
  }

  private static List<float[]> values(Path path, List<EmbeddingRequest> requests) {
    try (EmbeddingModel model = EmbeddingModel.open(path)) {
      return model.embedAll(requests).stream().map(outcome -> BatchIndependenceTest.values(outcome.orThrow())).toList();
    }
  }
}
