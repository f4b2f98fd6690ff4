package io.embed4j.convert;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One safetensors file: a little-endian u64 length, a JSON header of that length that gives each tensor's type, shape
 * and place, then the values. The header is checked against the file before anything is read: the tensors must tile
 * the rest of the file without gap or overlap, as the format demands (huggingface/safetensors, "Format").
 *
 * <p>Values are read at absolute positions, so any number of threads may read at once.
 */
final class SafetensorsFile implements AutoCloseable {
  /** The format's own limit. */
  private static final long MAX_HEADER_BYTES = 100_000_000;
  /** More extents than any tensor has; keeps a hostile header from asking for a huge shape. */
  private static final int MAX_DIMENSIONS = 8;

  private static final ValueLayout.OfShort LE_SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Stored types, each with the bytes of one value. */
  private enum Type {
    BF16(2), F16(2), F32(4);

    final int bytes;

    Type(int bytes) {
      this.bytes = bytes;
    }
  }

  private final Path path;
  private final FileChannel channel;
  private final Map<String, CheckpointTensor> tensors;

  private SafetensorsFile(Path path, FileChannel channel) throws IOException {
    this.path = path;
    this.channel = channel;
    this.tensors = parse();
  }

  /** Opens a file and checks its header. */
  static SafetensorsFile open(Path path) {
    FileChannel channel = null;
    try {
      channel = FileChannel.open(path, StandardOpenOption.READ);
      return new SafetensorsFile(path, channel);
    } catch (IOException e) {
      close(channel, path);
      throw Failure.io("read", path, e);
    } catch (RuntimeException e) {
      close(channel, path);
      throw e;
    }
  }

  Path path() {
    return path;
  }

  /** By name, in the order of the header. */
  Map<String, CheckpointTensor> tensors() {
    return tensors;
  }

  @Override
  public void close() {
    close(channel, path);
  }

  private static void close(FileChannel channel, Path path) {
    try {
      if (channel != null) channel.close();
    } catch (IOException e) {
      throw Failure.io("close", path, e);
    }
  }

  private Map<String, CheckpointTensor> parse() throws IOException {
    long fileBytes = channel.size();
    if (fileBytes < 8) throw bad("the file has " + fileBytes + " bytes, expected at least 8");
    ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    readFully(length, 0);
    long headerBytes = length.getLong(0);
    long limit = Math.min(MAX_HEADER_BYTES, fileBytes - 8);
    if (headerBytes < 2 || headerBytes > limit) {
      throw bad("header length is " + Long.toUnsignedString(headerBytes) + ", expected 2 to " + limit);
    }
    ByteBuffer header = ByteBuffer.allocate((int) headerBytes);
    readFully(header, 8);
    JsonObject json = JsonObject.parse(path + ": header", header.array());
    long dataOffset = 8 + headerBytes;

    Map<String, Stored> found = new LinkedHashMap<>();
    json.node().properties().forEach(entry -> {
      if (!entry.getKey().equals("__metadata__")) {
        found.put(entry.getKey(), stored(entry.getKey(), entry.getValue(), dataOffset));
      }
    });
    requireTiled(found.values().stream().toList(), dataOffset, fileBytes);
    return Collections.unmodifiableMap(found);
  }

  private Stored stored(String name, JsonNode node, long dataOffset) {
    String where = path + ": " + name;
    if (!(node instanceof ObjectNode object)) throw Failure.bad(where, "found " + node + ", expected an object");
    JsonObject entry = new JsonObject(where, object);
    Type type = type(entry);
    List<Long> extents = new ArrayList<>();
    for (JsonNode extent : entry.array("shape")) {
      if (!extent.isIntegralNumber() || !extent.canConvertToLong() || extent.longValue() < 1) {
        throw Failure.bad(where, "shape is " + entry.shown("shape") + ", expected whole numbers above 0");
      }
      extents.add(extent.longValue());
    }
    if (extents.isEmpty() || extents.size() > MAX_DIMENSIONS) {
      throw Failure.bad(where, "shape is " + entry.shown("shape") + ", expected 1 to " + MAX_DIMENSIONS + " numbers");
    }
    long begin = offset(entry, 0);
    long end = offset(entry, 1);
    long bytes;
    try {
      bytes = Math.multiplyExact(new Shape(extents).values(), type.bytes);
    } catch (ArithmeticException e) {
      throw Failure.bad(where, "shape is " + entry.shown("shape") + ", whose size in bytes overflows");
    }
    if (end - begin != bytes) {
      throw Failure.bad(where, "data_offsets are " + entry.shown("data_offsets") + ", " + (end - begin)
          + " bytes; expected " + bytes + " for " + type + " " + new Shape(extents));
    }
    return new Stored(name, type, new Shape(extents), dataOffset + begin, bytes);
  }

  private static Type type(JsonObject entry) {
    try {
      return Type.valueOf(entry.text("dtype"));
    } catch (IllegalArgumentException e) {
      throw Failure.unsupported(entry.where(), "dtype is " + entry.shown("dtype") + "; expected BF16, F16 or F32");
    }
  }

  private static long offset(JsonObject entry, int index) {
    JsonNode offsets = entry.array("data_offsets");
    JsonNode offset = offsets.get(index);
    boolean valid = offsets.size() == 2 && offset.isIntegralNumber() && offset.canConvertToLong()
        && offset.longValue() >= 0 && offset.longValue() < 1L << 60;
    if (!valid) {
      throw Failure.bad(entry.where(), "data_offsets are " + entry.shown("data_offsets") + ", expected [begin, end]");
    }
    return offset.longValue();
  }

  /** The values fill the file from the header to the end. */
  private void requireTiled(List<Stored> all, long dataOffset, long fileBytes) {
    List<Stored> inOrder = all.stream().sorted(Comparator.comparingLong(Stored::offset)).toList();
    long at = dataOffset;
    for (Stored tensor : inOrder) {
      if (tensor.offset != at) {
        throw bad("the values of " + tensor.name + " begin at byte " + tensor.offset + ", expected " + at
            + ": tensors must not overlap or leave gaps");
      }
      at += tensor.bytes;
    }
    if (at != fileBytes) throw bad("the file has " + fileBytes + " bytes, expected " + at + " from its header");
  }

  private RuntimeException bad(String message) {
    return Failure.bad(path.toString(), message);
  }

  private void readFully(ByteBuffer buffer, long position) throws IOException {
    while (buffer.hasRemaining()) {
      int read = channel.read(buffer, position + buffer.position());
      if (read < 0) throw bad("the file ends at byte " + (position + buffer.position()) + " although it was longer");
    }
  }

  /** A tensor in this file; offset and bytes in the file. */
  private final class Stored implements CheckpointTensor {
    private final String name;
    private final Type type;
    private final Shape shape;
    private final long offset;
    private final long bytes;

    Stored(String name, Type type, Shape shape, long offset, long bytes) {
      this.name = name;
      this.type = type;
      this.shape = shape;
      this.offset = offset;
      this.bytes = bytes;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public String where() {
      return path.toString();
    }

    @Override
    public Shape shape() {
      return shape;
    }

    private long offset() {
      return offset;
    }

    /**
     * Reads the stored values into the tail of `out` and widens them towards its head: value i is taken from a place
     * that no earlier value was written to, so no second buffer is needed.
     */
    @Override
    public void read(long first, int values, MemorySegment out) {
      long stored = (long) values * type.bytes;
      MemorySegment tail = out.asSlice(out.byteSize() - stored, stored);
      try {
        readFully(tail.asByteBuffer(), offset + first * type.bytes);
      } catch (IOException e) {
        throw Failure.io("read " + name + " from", path, e);
      }
      switch (type) {
        case F32 -> {
          if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
            for (long i = 0; i < values; i++) out.setAtIndex(ValueLayout.JAVA_INT, i, tail.getAtIndex(LE_INT, i));
          }
        }
        case BF16 -> {
          for (long i = 0; i < values; i++) {
            out.setAtIndex(ValueLayout.JAVA_INT, i, tail.getAtIndex(LE_SHORT, i) << 16);
          }
        }
        case F16 -> {
          for (long i = 0; i < values; i++) {
            out.setAtIndex(ValueLayout.JAVA_FLOAT, i, Float.float16ToFloat(tail.getAtIndex(LE_SHORT, i)));
          }
        }
      }
    }
  }
}
