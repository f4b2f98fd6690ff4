package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files cut short or with changed bytes: an error or, where only a weight changed, another vector; never a crash. */
class DamagedFilesTest {
  private static final Set<String> CODES = Set.of(EmbeddingException.BAD_MODEL, EmbeddingException.UNSUPPORTED,
      EmbeddingException.IO_ERROR, EmbeddingException.OUT_OF_MEMORY);
  private static final int CUTS = 60;
  private static final int CHANGES = 250;

  @TempDir
  Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"text.gguf", "multivector.gguf", "adapter-text-matching.gguf"})
  void aFileCutShortIsRefused(String name) throws IOException {
    Path model = TinyModel.copyOfSmall(folder.resolve("model"));
    byte[] whole = Files.readAllBytes(model.resolve(name));
    Random random = new Random(whole.length);
    for (int i = 0; i < CUTS; i++) {
      int length = i < CUTS / 2 ? random.nextInt(2_000) : random.nextInt(whole.length - 31);
      Files.write(model.resolve(name), Arrays.copyOf(whole, length));
      String error = openAndEmbed(model);
      assertTrue(error.contains(name), name + " cut to " + length + " bytes: " + error);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"text.gguf", "multivector.gguf", "adapter-text-matching.gguf"})
  void aFileWithAChangedByteIsRefusedOrRuns(String name) throws IOException {
    Path model = TinyModel.copyOfSmall(folder.resolve("model"));
    byte[] bytes = Files.readAllBytes(model.resolve(name));
    Random random = new Random(bytes.length);
    int refused = 0;
    for (int i = 0; i < CHANGES; i++) {
      // the header holds the structure: most changes go there
      int at = i % 5 == 0 ? random.nextInt(bytes.length) : random.nextInt(Math.min(bytes.length, i % 5 == 1 ? 400 : 8_000));
      byte before = bytes[at];
      bytes[at] = (byte) (i % 3 == 0 ? 0xFF : before ^ (1 << random.nextInt(8)));
      Files.write(model.resolve(name), bytes);
      if (!openAndEmbed(model).isEmpty()) refused++;
      bytes[at] = before;
    }
    assertTrue(refused > CHANGES / 20, "only " + refused + " changes were refused: is the file read at all?");
  }

  @Test
  void weightsThatAreNotFiniteGiveAnErrorNotAVector() throws IOException {
    Path model = TinyModel.copyOfSmall(folder.resolve("model"));
    byte[] bytes = Files.readAllBytes(model.resolve("text.gguf"));
    Arrays.fill(bytes, bytes.length - 1024, bytes.length, (byte) 0xFF); // NaN in the last tensor
    Files.write(model.resolve("text.gguf"), bytes);
    assertTrue(openAndEmbed(model).contains("NaN"), "an error that says NaN");
  }

  /** The message of the error, or nothing when it worked. */
  private static String openAndEmbed(Path model) {
    try (EmbeddingModel open = EmbeddingModel.open(model)) {
      EmbeddingRequest request = EmbeddingRequest.text("the end").task(Task.TEXT_MATCHING);
      open.embed(request);
      open.embed(request.multiVector(true));
      return "";
    } catch (EmbeddingException e) {
      assertTrue(CODES.contains(e.code()), e.code() + ": " + e.getMessage());
      return e.getMessage();
    }
  }
}
