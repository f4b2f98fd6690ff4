package io.embed4j.convert;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/** Extents of a tensor, slowest first, as a checkpoint states them. */
record Shape(List<Long> extents) {
  Shape {
    extents = List.copyOf(extents);
  }

  static Shape of(long... extents) {
    return new Shape(Arrays.stream(extents).boxed().toList());
  }

  /** Values in all. */
  long values() {
    return extents.stream().reduce(1L, Math::multiplyExact);
  }

  @Override
  public String toString() {
    return extents.stream().map(String::valueOf).collect(Collectors.joining(", ", "[", "]"));
  }
}
