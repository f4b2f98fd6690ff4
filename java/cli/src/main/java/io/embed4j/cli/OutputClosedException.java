package io.embed4j.cli;

/** Whoever read the standard output has closed it, as {@code head} does: the command ends quietly. */
final class OutputClosedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  OutputClosedException(Throwable cause) {
    super(cause);
  }
}
