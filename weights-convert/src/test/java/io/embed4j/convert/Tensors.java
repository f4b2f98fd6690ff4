package io.embed4j.convert;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Safetensors files in memory, read and written without the code under test. */
final class Tensors {
  record Tensor(String dtype, List<Long> shape, byte[] bytes) {
    /** The stored bf16 or float32 values. */
    float[] values() {
      ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      float[] values = new float[bytes.length / (dtype.equals("F32") ? 4 : 2)];
      for (int i = 0; i < values.length; i++) {
        values[i] = dtype.equals("F32") ? in.getFloat(4 * i) : Float.intBitsToFloat(in.getShort(2 * i) << 16);
      }
      return values;
    }

    Tensor reshaped(Long... extents) {
      return new Tensor(dtype, List.of(extents), bytes);
    }

    /** The same values, exactly or to nearest, in another type. */
    Tensor as(String type) {
      float[] values = values();
      ByteBuffer out = ByteBuffer.allocate(values.length * (type.equals("F32") ? 4 : 2)).order(ByteOrder.LITTLE_ENDIAN);
      for (float value : values) {
        if (type.equals("F32")) out.putFloat(value);
        else out.putShort(Float.floatToFloat16(value));
      }
      return new Tensor(type, shape, out.array());
    }
  }

  private Tensors() {}

  static Map<String, Tensor> read(Path file) {
    try {
      ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
      int header = (int) in.getLong(0);
      ObjectNode json = MiniModel.object(new String(in.array(), 8, header, StandardCharsets.UTF_8));
      json.remove("__metadata__");
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      json.properties().forEach(entry -> {
        List<Long> shape = new ArrayList<>();
        entry.getValue().get("shape").forEach(extent -> shape.add(extent.longValue()));
        int begin = entry.getValue().get("data_offsets").get(0).intValue();
        byte[] bytes = new byte[entry.getValue().get("data_offsets").get(1).intValue() - begin];
        in.get(8 + header + begin, bytes);
        tensors.put(entry.getKey(), new Tensor(entry.getValue().get("dtype").textValue(), shape, bytes));
      });
      return tensors;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static void write(Path file, Map<String, Tensor> tensors) {
    ObjectNode json = MiniModel.JSON.createObjectNode();
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    tensors.forEach((name, tensor) -> {
      ObjectNode entry = json.putObject(name).put("dtype", tensor.dtype);
      tensor.shape.forEach(entry.putArray("shape")::add);
      entry.putArray("data_offsets").add(data.size()).add(data.size() + tensor.bytes.length);
      data.writeBytes(tensor.bytes);
    });
    write(file, json.toString().getBytes(StandardCharsets.UTF_8), data.toByteArray());
  }

  /** A file of any header and any data. */
  static void write(Path file, byte[] header, byte[] data) {
    ByteBuffer out = ByteBuffer.allocate(8 + header.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
    try {
      Files.write(file, out.putLong(header.length).put(header).put(data).array());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Changes a file in place. */
  static void edit(Path file, Consumer<Map<String, Tensor>> change) {
    Map<String, Tensor> tensors = read(file);
    change.accept(tensors);
    write(file, tensors);
  }
}
