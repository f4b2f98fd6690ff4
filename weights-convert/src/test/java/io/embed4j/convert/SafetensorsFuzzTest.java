package io.embed4j.convert;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

class SafetensorsFuzzTest {
  private static Path fuzzed;

  @BeforeContainer
  static void makeFuzzed() throws IOException {
    fuzzed = Files.createTempFile("fuzz", ".safetensors");
  }

  @AfterContainer
  static void removeFuzzed() throws IOException {
    Files.delete(fuzzed);
  }

  /** Any damage either goes unnoticed because the file is still well formed, or is reported; nothing else happens. */
  @Property(tries = 500)
  void damageIsReported(@ForAll @Size(min = 1, max = 6) List<@IntRange(max = 170) Integer> places,
      @ForAll @Size(6) List<Byte> values) throws IOException {
    Tensors.write(fuzzed, Map.of("x", SafetensorsFileTest.tensor("BF16"), "y", SafetensorsFileTest.tensor("F32")));
    byte[] bytes = Files.readAllBytes(fuzzed);
    for (int i = 0; i < places.size(); i++) bytes[places.get(i) % bytes.length] = values.get(i);
    Files.write(fuzzed, bytes);
    openAndRead();
  }

  /** The same with headers that are valid JSON made of plausible numbers. */
  @Property(tries = 500)
  void plausibleHeadersAreChecked(@ForAll @Size(min = 1, max = 3) List<List<Long>> shapes,
      @ForAll @Size(6) List<Long> offsets) {
    StringBuilder header = new StringBuilder("{");
    for (int i = 0; i < shapes.size(); i++) {
      header.append(i == 0 ? "" : ",").append("\"t").append(i).append("\":{\"dtype\":\"BF16\",\"shape\":")
          .append(shapes.get(i)).append(",\"data_offsets\":[").append(offsets.get(2 * i)).append(',')
          .append(offsets.get(2 * i + 1)).append("]}");
    }
    Tensors.write(fuzzed, header.append('}').toString().getBytes(StandardCharsets.UTF_8), new byte[64]);
    openAndRead();
  }

  private static void openAndRead() {
    try (SafetensorsFile file = SafetensorsFile.open(fuzzed); Arena arena = Arena.ofConfined()) {
      file.tensors().values().forEach(tensor -> {
        int values = Math.toIntExact(tensor.shape().values());
        tensor.read(0, values, arena.allocate(4L * values, 4));
      });
    } catch (EmbeddingException e) {
      List<String> expected = List.of(EmbeddingException.BAD_MODEL, EmbeddingException.UNSUPPORTED);
      assertTrue(expected.contains(e.code()), e.toString());
    }
  }
}
