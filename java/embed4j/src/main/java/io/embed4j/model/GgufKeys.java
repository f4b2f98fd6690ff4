package io.embed4j.model;

import io.embed4j.EmbeddingException;
import io.embed4j.ffm.GgufFile;
import io.embed4j.ffm.GgufValue;
import java.util.Optional;

/** Asks a GGUF file for keys it must have; what is missing or out of range is named with its file. */
final class GgufKeys {
  private final GgufFile file;

  GgufKeys(GgufFile file) {
    this.file = file;
  }

  Optional<GgufValue> find(String key) {
    return Optional.ofNullable(file.metadata().get(key));
  }

  GgufValue value(String key) {
    return find(key).orElseThrow(() -> bad("has no key " + key));
  }

  String string(String key) {
    return value(key).string();
  }

  /** Refuses a file whose key holds another text. */
  void require(String key, String expected) {
    String found = string(key);
    if (!found.equals(expected)) throw bad("has " + key + " \"" + found + "\", expected \"" + expected + "\"");
  }

  /** A positive int. */
  int size(String key) {
    long size = value(key).integer();
    if (size < 1 || size > Integer.MAX_VALUE) throw bad("has " + key + " " + size + ", expected 1 .. 2^31 - 1");
    return (int) size;
  }

  EmbeddingException bad(String what) {
    return new EmbeddingException(EmbeddingException.BAD_MODEL, file.path() + " " + what);
  }

  EmbeddingException unsupported(String what) {
    return new EmbeddingException(EmbeddingException.UNSUPPORTED, file.path() + " " + what);
  }
}
