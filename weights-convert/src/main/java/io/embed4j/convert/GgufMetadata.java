package io.embed4j.convert;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Key-value pairs of a GGUF file in the order they are added, encoded as the file holds them. */
final class GgufMetadata {
  private static final int U32 = 4;
  private static final int I32 = 5;
  private static final int F32 = 6;
  private static final int BOOL = 7;
  private static final int STRING = 8;
  private static final int ARRAY = 9;

  /** Each value with its type in front. */
  private final Map<String, Consumer<Encoder>> values = new LinkedHashMap<>();

  GgufMetadata string(String key, String value) {
    return put(key, out -> out.u32(STRING).string(value));
  }

  GgufMetadata u32(String key, int value) {
    return put(key, out -> out.u32(U32).u32(value));
  }

  GgufMetadata f32(String key, double value) {
    return put(key, out -> out.u32(F32).f32((float) value));
  }

  GgufMetadata bool(String key, boolean value) {
    return put(key, out -> out.u32(BOOL).u8(value ? 1 : 0));
  }

  GgufMetadata strings(String key, List<String> value) {
    return array(key, STRING, value, Encoder::string);
  }

  GgufMetadata i32s(String key, List<Integer> value) {
    return array(key, I32, value, Encoder::u32);
  }

  GgufMetadata f32s(String key, List<Float> value) {
    return array(key, F32, value, Encoder::f32);
  }

  int size() {
    return values.size();
  }

  void encode(Encoder out) {
    values.forEach((key, value) -> value.accept(out.string(key)));
  }

  private interface Element<T> {
    void put(Encoder out, T value);
  }

  private <T> GgufMetadata array(String key, int type, List<T> value, Element<T> element) {
    return put(key, out -> {
      out.u32(ARRAY).u32(type).u64(value.size());
      for (T item : value) element.put(out, item);
    });
  }

  private GgufMetadata put(String key, Consumer<Encoder> value) {
    if (values.put(key, value) != null) throw new IllegalArgumentException(key + " is set twice");
    return this;
  }

  /** Little-endian bytes of a GGUF header. */
  static final class Encoder {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final ByteBuffer number = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);

    Encoder u8(int value) {
      bytes.write(value);
      return this;
    }

    Encoder u32(int value) {
      return number(number.putInt(0, value), 4);
    }

    Encoder u64(long value) {
      return number(number.putLong(0, value), 8);
    }

    Encoder f32(float value) {
      return number(number.putFloat(0, value), 4);
    }

    Encoder string(String value) {
      ByteBuffer utf8;
      try {
        utf8 = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(value));
      } catch (CharacterCodingException e) {
        throw Failure.bad("metadata", "\"" + value + "\" is not valid Unicode: it holds an unpaired surrogate");
      }
      u64(utf8.remaining());
      bytes.write(utf8.array(), utf8.arrayOffset(), utf8.remaining());
      return this;
    }

    /** Zeros up to a multiple. */
    Encoder align(int alignment) {
      while (bytes.size() % alignment != 0) bytes.write(0);
      return this;
    }

    byte[] toByteArray() {
      return bytes.toByteArray();
    }

    private Encoder number(ByteBuffer value, int count) {
      bytes.write(value.array(), 0, count);
      return this;
    }
  }
}
