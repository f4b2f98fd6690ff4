package io.embed4j.server;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** How a vector is written. */
enum Encoding {
  /** Numbers. */
  FLOAT(13),
  /** Little-endian float32 in base64. */
  BASE64(6),
  /** Sign bits packed into bytes, the first in the highest bit, minus 128. */
  BINARY(1),
  /** Sign bits packed into bytes, the first in the highest bit. */
  UBINARY(1);

  private final int bytesPerValue;

  Encoding(int bytesPerValue) {
    this.bytesPerValue = bytesPerValue;
  }

  /** At most, on average over a vector. */
  int bytesPerValue() {
    return bytesPerValue;
  }

  String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  static Optional<Encoding> of(String label) {
    return Arrays.stream(values()).filter(encoding -> encoding.label().equals(label)).findFirst();
  }
}
