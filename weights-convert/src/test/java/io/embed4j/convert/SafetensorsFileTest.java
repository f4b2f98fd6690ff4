package io.embed4j.convert;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFileTest {
  private static final float[] VALUES = {1, -2.5f, 0, 1.5f, 0.25f, 96};

  @TempDir Path temp;

  @ParameterizedTest
  @ValueSource(strings = {"F32", "F16", "BF16"})
  void readsSlicesOfEveryType(String dtype) {
    Path file = temp.resolve("a.safetensors");
    Tensors.Tensor values = tensor(dtype);
    Map<String, Tensors.Tensor> tensors = new LinkedHashMap<>();
    tensors.put("before", tensor("F32"));
    tensors.put("x", values);
    Tensors.write(file, tensors);
    try (SafetensorsFile open = SafetensorsFile.open(file); Arena arena = Arena.ofConfined()) {
      CheckpointTensor x = open.tensors().get("x");
      assertEquals(Shape.of(2, 3), x.shape());
      for (int first = 0; first < VALUES.length; first++) {
        for (int count = 1; count <= VALUES.length - first; count++) {
          MemorySegment out = arena.allocate(4L * count, 4);
          x.read(first, count, out);
          assertArrayEquals(Arrays.copyOfRange(VALUES, first, first + count), out.toArray(ValueLayout.JAVA_FLOAT));
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
      "{\"x\":{\"dtype\":\"F8_E4M3\",\"shape\":[24],\"data_offsets\":[0,24]}}| x: dtype is \"F8_E4M3\"; expected BF16, F16 or F32",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,20]}}| 20 bytes; expected 24 for F32 [2, 3]",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[24,0]}}| -24 bytes; expected 24",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24,3]}}| expected [begin, end]",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[-24,0]}}| expected [begin, end]",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24.0]}}| expected [begin, end]",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[6]}}| data_offsets is missing",
      "{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,24]}}| shape is missing",
      "{\"x\":{\"shape\":[6],\"data_offsets\":[0,24]}}| dtype is missing",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}| expected whole numbers above 0",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[-6],\"data_offsets\":[0,24]}}| expected whole numbers above 0",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}| expected 1 to 8 numbers",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,24]}}| overflows",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}| overflows",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[4,24]}}| begin at byte",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]},\"y\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[20,24]}}| must not overlap",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[0,20]}}| the file has",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[7],\"data_offsets\":[0,28]}}| the file has",
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]},\"x\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}}| Duplicate field 'x'",
      "{\"x\":7}| expected an object",
      "[1]| found array, expected an object",
      "{\"x\":| not valid JSON",
      "{} {}| not valid JSON",
  })
  void refusesAHeaderThatDoesNotFit(String header, String expected) {
    Path file = temp.resolve("bad.safetensors");
    Tensors.write(file, header.getBytes(StandardCharsets.UTF_8), new byte[24]);
    EmbeddingException e = assertThrows(EmbeddingException.class, () -> SafetensorsFile.open(file));
    assertTrue(e.getMessage().contains(expected), e.getMessage());
    assertTrue(e.getMessage().contains("bad.safetensors"), e.getMessage());
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 200, 100_000_001, -1, Long.MIN_VALUE, Long.MAX_VALUE})
  void refusesAHeaderLengthThatDoesNotFit(long length) throws IOException {
    Path file = temp.resolve("bad.safetensors");
    Files.write(file, ByteBuffer.allocate(40).order(ByteOrder.LITTLE_ENDIAN).putLong(length).array());
    EmbeddingException e = assertThrows(EmbeddingException.class, () -> SafetensorsFile.open(file));
    assertTrue(e.getMessage().contains("header length is " + Long.toUnsignedString(length)), e.getMessage());
  }

  @Test
  void refusesAFileCutAnywhere() throws IOException {
    Path whole = temp.resolve("whole.safetensors");
    Tensors.write(whole, Map.of("x", tensor("F32")));
    byte[] bytes = Files.readAllBytes(whole);
    Path cut = temp.resolve("cut.safetensors");
    for (int length = 0; length < bytes.length; length++) {
      Files.write(cut, Arrays.copyOf(bytes, length));
      EmbeddingException e = assertThrows(EmbeddingException.class, () -> SafetensorsFile.open(cut));
      assertEquals(EmbeddingException.BAD_MODEL, e.code());
    }
  }

  @Test
  void aFileThatShrinksAfterItWasOpenedIsAnError() throws IOException {
    Path file = temp.resolve("shrinks.safetensors");
    Tensors.write(file, Map.of("x", tensor("F32")));
    try (SafetensorsFile open = SafetensorsFile.open(file); Arena arena = Arena.ofConfined()) {
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        channel.truncate(channel.size() - 4);
      }
      EmbeddingException e = assertThrows(EmbeddingException.class,
          () -> open.tensors().get("x").read(0, 6, arena.allocate(24, 4)));
      assertTrue(e.getMessage().contains("the file ends at byte"), e.getMessage());
    }
  }

  @Test
  void aMissingFileIsNamed() {
    EmbeddingException e =
        assertThrows(EmbeddingException.class, () -> SafetensorsFile.open(temp.resolve("none.safetensors")));
    assertEquals(EmbeddingException.IO_ERROR, e.code());
    assertTrue(e.getMessage().contains("none.safetensors"), e.getMessage());
  }

  /** VALUES as [2, 3]. */
  static Tensors.Tensor tensor(String dtype) {
    ByteBuffer out = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : VALUES) out.putFloat(value);
    Tensors.Tensor floats = new Tensors.Tensor("F32", List.of(2L, 3L), out.array());
    if (!dtype.equals("BF16")) return floats.as(dtype);
    ByteBuffer half = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : VALUES) half.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
    return new Tensors.Tensor("BF16", List.of(2L, 3L), half.array());
  }
}
