package io.embed4j.convert;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.ffm.TensorType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Lays out a safetensors file of bf16 tensors, by name, as the format's own library does. */
final class SafetensorsContents {
  private static final int ALIGNMENT = 8;

  private SafetensorsContents() {}

  static FileContents of(String name, List<OutputTensor> tensors) {
    List<OutputTensor> sorted = tensors.stream().sorted(Comparator.comparing(OutputTensor::name)).toList();
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.putObject("__metadata__").put("format", "pt");
    List<Long> offsets = new ArrayList<>();
    long end = 0;
    for (OutputTensor tensor : sorted) {
      if (tensor.type() != TensorType.BF16) throw new IllegalArgumentException(tensor.name() + " is not bf16");
      ObjectNode entry = json.putObject(tensor.name());
      entry.put("dtype", "BF16");
      tensor.dims().reversed().forEach(entry.putArray("shape")::add);
      entry.putArray("data_offsets").add(end).add(end + tensor.bytes());
      offsets.add(end);
      end += tensor.bytes();
    }
    byte[] text = json.toString().getBytes(StandardCharsets.UTF_8);
    int padded = (text.length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    ByteBuffer header = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN).putLong(padded).put(text);
    while (header.hasRemaining()) header.put((byte) ' ');
    offsets.replaceAll(offset -> header.capacity() + offset);
    return new FileContents(name, header.array(), sorted, offsets, header.capacity() + end);
  }
}
