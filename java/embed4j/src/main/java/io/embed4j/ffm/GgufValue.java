package io.embed4j.ffm;

import io.embed4j.EmbeddingException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * The value of one GGUF key, read as the type the caller expects; another type found is an
 * {@link EmbeddingException#BAD_MODEL} error naming file, key, expected and found.
 */
public final class GgufValue {
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  /** GGUF value type names, by number. */
  private static final String[] TYPES =
      {"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};
  private static final int F32 = 6;
  private static final int BOOL = 7;
  private static final int STRING = 8;
  private static final int ARRAY = 9;
  private static final int F64 = 12;

  private final Path file;
  private final String key;
  private final int type;
  private final int elementType;
  private final long count;
  private final MemorySegment bytes;

  GgufValue(Path file, String key, int type, int elementType, long count, MemorySegment bytes) {
    this.file = file;
    this.key = key;
    this.type = type;
    this.elementType = elementType;
    this.count = count;
    this.bytes = bytes;
  }

  /** The type as GGUF spells it: u32, f32, bool, string, string[], ... */
  public String type() {
    return type == ARRAY ? TYPES[elementType] + "[]" : TYPES[type];
  }

  /** Elements of an array; 1 otherwise. */
  public long count() {
    return count;
  }

  /** A string. */
  public String string() {
    require(type == STRING, "a string");
    return new String(bytes.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
  }

  /** Any integer type that fits. */
  public long integer() {
    require(isInteger(type), "an integer");
    return integerAt(type, 0);
  }

  /** f32 or f64. */
  public double floating() {
    require(type == F32 || type == F64, "a float");
    return type == F32 ? bytes.get(FLOAT, 0) : bytes.get(DOUBLE, 0);
  }

  /** A bool. */
  public boolean bool() {
    require(type == BOOL, "a bool");
    return bytes.get(ValueLayout.JAVA_BYTE, 0) != 0;
  }

  /** An array of any integer type whose values fit int. */
  public int[] integers() {
    require(type == ARRAY && isInteger(elementType), "an array of integers");
    int[] values = new int[length()];
    int size = (int) (bytes.byteSize() / Math.max(1, count));
    for (int i = 0; i < values.length; i++) {
      long value = integerAt(elementType, (long) i * size);
      values[i] = (int) value;
      require(values[i] == value, "integers of 32 bits");
    }
    return values;
  }

  /** An array of 32-bit floats. */
  public float[] floats() {
    require(type == ARRAY && elementType == F32, "an array of 32-bit floats");
    float[] values = new float[length()];
    for (int i = 0; i < values.length; i++) values[i] = bytes.get(FLOAT, 4L * i);
    return values;
  }

  /** An array of strings. */
  public String[] strings() {
    require(type == ARRAY && elementType == STRING, "an array of strings");
    require(bytes.byteSize() <= Integer.MAX_VALUE - 8, "an array that fits Java");
    String[] values = new String[length()];
    byte[] copy = bytes.toArray(ValueLayout.JAVA_BYTE); // at once: a vocabulary has hundreds of thousands of them
    ByteBuffer lengths = ByteBuffer.wrap(copy).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0, at = 0; i < values.length; i++) {
      int length = Math.toIntExact(lengths.getLong(at));
      values[i] = new String(copy, at + 8, length, StandardCharsets.UTF_8);
      at += 8 + length;
    }
    return values;
  }

  private int length() {
    require(count <= Integer.MAX_VALUE - 8, "an array that fits Java");
    return (int) count;
  }

  private static boolean isInteger(int type) {
    return type <= 5 || type == 10 || type == 11;
  }

  private long integerAt(int integerType, long offset) {
    long value = switch (integerType) {
      case 0 -> bytes.get(ValueLayout.JAVA_BYTE, offset) & 0xFF;
      case 1 -> bytes.get(ValueLayout.JAVA_BYTE, offset);
      case 2 -> bytes.get(SHORT, offset) & 0xFFFF;
      case 3 -> bytes.get(SHORT, offset);
      case 4 -> Integer.toUnsignedLong(bytes.get(INT, offset));
      case 5 -> bytes.get(INT, offset);
      default -> bytes.get(LONG, offset);
    };
    require(integerType != 10 || value >= 0, "an integer of 63 bits");
    return value;
  }

  private void require(boolean fits, String expected) {
    if (!fits) {
      throw new EmbeddingException(EmbeddingException.BAD_MODEL,
          file + ": key " + key + " is " + type() + " with " + count + " element(s), expected " + expected);
    }
  }
}
