package io.embed4j.parity;

import io.embed4j.ffm.GgufFile;
import io.embed4j.ffm.GgufValue;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A GGUF file read into memory, changed and written again: other metadata, fewer rows. */
final class GgufCopy {
  private static final int ALIGNMENT = 32;

  private record Tensor(String name, int type, List<Long> shape, byte[] data) {}

  private final Map<String, Object> metadata = new LinkedHashMap<>();
  private final List<Tensor> tensors = new ArrayList<>();

  private GgufCopy() {}

  static GgufCopy of(Path path) {
    GgufCopy copy = new GgufCopy();
    try (GgufFile file = GgufFile.open(path)) {
      file.metadata().forEach((key, value) -> copy.metadata.put(key, value(value)));
      for (GgufFile.Tensor t : file.tensors()) {
        copy.tensors.add(new Tensor(t.name(), t.typeId(), t.shape(), t.data().toArray(ValueLayout.JAVA_BYTE)));
      }
    }
    return copy;
  }

  /** Sets a String, Integer (u32), Float, Boolean, String[] or int[] (i32). */
  GgufCopy set(String key, Object value) {
    metadata.put(key, value);
    return this;
  }

  GgufCopy remove(String key) {
    metadata.remove(key);
    return this;
  }

  GgufCopy removeTensor(String name) {
    tensors.removeIf(tensor -> tensor.name.equals(name));
    return this;
  }

  /** The first tokens of the vocabulary: bytes and early merges. */
  GgufCopy vocabulary(int size) {
    String[] tokens = Arrays.copyOf((String[]) metadata.get("tokenizer.ggml.tokens"), size);
    Set<String> kept = new HashSet<>(List.of(tokens));
    metadata.put("tokenizer.ggml.tokens", tokens);
    metadata.put("tokenizer.ggml.token_type", Arrays.copyOf((int[]) metadata.get("tokenizer.ggml.token_type"), size));
    metadata.put("tokenizer.ggml.merges", Arrays.stream((String[]) metadata.get("tokenizer.ggml.merges"))
        .filter(merge -> {
          String[] parts = merge.split(" ");
          return kept.contains(parts[0]) && kept.contains(parts[1]) && kept.contains(parts[0] + parts[1]);
        }).toArray(String[]::new));
    metadata.keySet().removeIf(key -> key.endsWith("_token_id"));
    tensors.replaceAll(t -> !t.name.equals("token_embd.weight") ? t
        : new Tensor(t.name, t.type, List.of(t.shape.getFirst(), (long) size),
            Arrays.copyOf(t.data, Math.toIntExact(t.data.length / t.shape.get(1) * size))));
    return this;
  }

  void write(Path path) {
    Bytes header = new Bytes().raw("GGUF".getBytes(StandardCharsets.US_ASCII)).u32(3).u64(tensors.size())
        .u64(metadata.size());
    metadata.forEach((key, value) -> header.string(key).value(value));
    long offset = 0;
    for (Tensor t : tensors) {
      header.string(t.name).u32(t.shape.size());
      for (long extent : t.shape) header.u64(extent);
      header.u32(t.type).u64(offset);
      offset = aligned(offset + t.data.length);
    }
    try (OutputStream out = Files.newOutputStream(path)) {
      write(out, header.out.toByteArray());
      for (Tensor t : tensors) write(out, t.data);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void write(OutputStream out, byte[] bytes) throws IOException {
    out.write(bytes);
    out.write(new byte[(int) (aligned(bytes.length) - bytes.length)]);
  }

  private static long aligned(long n) {
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  private static Object value(GgufValue value) {
    return switch (value.type()) {
      case "string" -> value.string();
      case "u32" -> (int) value.integer();
      case "f32" -> (float) value.floating();
      case "bool" -> value.bool();
      case "string[]" -> value.strings();
      case "i32[]" -> value.integers();
      default -> throw new AssertionError("a value of type " + value.type());
    };
  }

  private static final class Bytes {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Bytes raw(byte[] bytes) {
      out.writeBytes(bytes);
      return this;
    }

    Bytes u32(int value) {
      return raw(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
    }

    Bytes u64(long value) {
      return raw(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
    }

    Bytes string(String value) {
      byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
      return u64(utf8.length).raw(utf8);
    }

    void value(Object value) {
      switch (value) {
        case Integer u32 -> u32(4).u32(u32);
        case Float f32 -> u32(6).u32(Float.floatToIntBits(f32));
        case Boolean bool -> u32(7).raw(new byte[] {(byte) (bool ? 1 : 0)});
        case String string -> u32(8).string(string);
        case String[] strings -> {
          u32(9).u32(8).u64(strings.length);
          for (String string : strings) string(string);
        }
        case int[] integers -> {
          u32(9).u32(5).u64(integers.length);
          for (int integer : integers) u32(integer);
        }
        default -> throw new AssertionError(value.getClass());
      }
    }
  }
}
