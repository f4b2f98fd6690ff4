package io.embed4j.server;

import io.embed4j.EmbeddingException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;

/** The keys a server accepts, kept as digests; comparing takes the same time however much agrees. Thread-safe. */
final class ApiKeys {
  private static final String SCHEME = "Bearer ";

  private final List<byte[]> digests;

  private ApiKeys(List<byte[]> digests) {
    this.digests = digests;
  }

  /** Of a file, one key per line, without empty lines and those that start with #. Without a file none is asked for. */
  static ApiKeys read(Path file) {
    if (file == null) return new ApiKeys(List.of());
    try {
      List<byte[]> digests = Files.readAllLines(file).stream().map(String::strip)
          .filter(line -> !line.isEmpty() && !line.startsWith("#")).map(ApiKeys::digest).toList();
      if (!digests.isEmpty()) return new ApiKeys(digests);
    } catch (IOException e) {
      throw new EmbeddingException(EmbeddingException.IO_ERROR, "cannot read the API keys of " + file + ": " + e, e);
    }
    throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, "there is no API key in " + file);
  }

  /** Checks the Authorization header, which may be null. */
  void check(String authorization) throws RequestException {
    if (digests.isEmpty()) return;
    if (authorization == null) {
      throw RequestException.of(Problem.KEY_MISSING, "no API key given, expected the header Authorization: Bearer KEY");
    }
    if (!authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
      throw RequestException.of(Problem.KEY_FORMAT, "expected the header Authorization: Bearer KEY");
    }
    byte[] given = digest(authorization.substring(SCHEME.length()).strip());
    boolean known = false;
    for (byte[] digest : digests) known |= MessageDigest.isEqual(digest, given);
    if (!known) throw RequestException.of(Problem.KEY_UNKNOWN, "the API key is not known here");
  }

  private static byte[] digest(String key) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }
}
