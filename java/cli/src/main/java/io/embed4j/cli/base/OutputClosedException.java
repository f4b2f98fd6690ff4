package io.embed4j.cli.base;

/** Whoever read the standard output has closed it, as {@code head} does: the command ends quietly. */
public final class OutputClosedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** The failed write. */
  public OutputClosedException(Throwable cause) {
    super(cause);
  }
}
