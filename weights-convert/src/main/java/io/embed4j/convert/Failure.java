package io.embed4j.convert;

import io.embed4j.EmbeddingException;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** The errors of a conversion, each with its stable code. */
final class Failure {
  private Failure() {}

  /** The caller asked for something that cannot be. */
  static EmbeddingException invalid(String message) {
    return new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, message);
  }

  /** A file of the checkpoint is broken or does not fit the others. */
  static EmbeddingException bad(String where, String message) {
    return new EmbeddingException(EmbeddingException.BAD_MODEL, where + ": " + message);
  }

  /** Well formed, but not arithmetic that this project has. */
  static EmbeddingException unsupported(String where, String message) {
    return new EmbeddingException(EmbeddingException.UNSUPPORTED, where + ": " + message);
  }

  /** The operating system refused. */
  static EmbeddingException io(String doing, Path file, IOException e) {
    if (e instanceof ClosedByInterruptException) return cancelled();
    String reason = switch (e) {
      case NoSuchFileException missing -> "no such file: " + missing.getFile();
      case FileSystemException failed when failed.getReason() != null -> failed.getReason();
      default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    };
    return new EmbeddingException(EmbeddingException.IO_ERROR, "cannot " + doing + " " + file + ": " + reason, e);
  }

  static EmbeddingException cancelled() {
    return new EmbeddingException(EmbeddingException.CANCELLED, "interrupted; nothing was changed");
  }
}
