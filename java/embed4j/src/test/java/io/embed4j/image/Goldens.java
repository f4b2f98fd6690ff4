package io.embed4j.image;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** What Pillow and transformers gave, from the test resources. */
final class Goldens {
  /** The encoded images, and beside some of them their RGB bytes as name.rgb. */
  static final Map<String, byte[]> IMAGES = unzip("images.zip");

  private Goldens() {}

  static byte[] bytes(String resource) {
    try (InputStream in = Goldens.class.getResourceAsStream(resource)) {
      byte[] bytes = in.readAllBytes();
      return resource.endsWith(".gz") ? new GZIPInputStream(new ByteArrayInputStream(bytes)).readAllBytes() : bytes;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Fields of every line that is not a comment. */
  static List<String[]> lines(String resource) {
    return new String(bytes(resource), StandardCharsets.UTF_8)
        .lines()
        .filter(line -> !line.startsWith("#"))
        .map(line -> line.split(" "))
        .toList();
  }

  static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  private static Map<String, byte[]> unzip(String resource) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    try (ZipInputStream in = new ZipInputStream(Goldens.class.getResourceAsStream(resource))) {
      for (ZipEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
        files.put(entry.getName(), in.readAllBytes());
      }
      return files;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
