package io.embed4j.cli.base;

/** The command cannot run as it was asked to; the message is for the user, the exit code is 2. */
public class UnusableException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** A message for the user and what caused it, or null. */
  public UnusableException(String message, Throwable cause) {
    super(message, cause);
  }
}
