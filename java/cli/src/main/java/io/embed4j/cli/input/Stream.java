package io.embed4j.cli.input;

import io.embed4j.cli.base.Fingerprint;
import io.embed4j.cli.base.UnusableException;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * Bytes to read items from.
 *
 * @param in of standard input, or a FileInputStream
 * @param file null for standard input
 * @param size bytes; -1 for what is no ordinary file
 */
record Stream(InputStream in, Path file, long size) {
  static Stream standardInput() {
    return new Stream(System.in, null, -1);
  }

  static Stream open(Path file) {
    try {
      if (Files.isDirectory(file)) throw new UnusableException(file + " is a folder, expected a file", null);
      return new Stream(new FileInputStream(file.toFile()), file, Files.isRegularFile(file) ? Files.size(file) : -1);
    } catch (IOException e) {
      String reason = Files.exists(file) ? "it is not readable" : "it does not exist";
      throw new UnusableException("cannot read " + file + ": " + reason, e);
    }
  }

  Lines lines(int maxLineBytes) {
    return new Lines(in, size >= 0, maxLineBytes);
  }

  /** Of what cannot be read twice, nothing but that: the bytes read are compared when it is resumed. */
  Map<String, String> identity() throws IOException {
    if (size < 0) return Map.of("input", file == null ? "standard input" : file.toString());
    return Map.of("input", file.toAbsolutePath().normalize().toString(), "input content", Fingerprint.of(file));
  }
}
