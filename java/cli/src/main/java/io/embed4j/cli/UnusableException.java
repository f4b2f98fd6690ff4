package io.embed4j.cli;

/** The command cannot run as it was asked to; the message is for the user, the exit code is {@link Main#UNUSABLE}. */
final class UnusableException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  UnusableException(String message, Throwable cause) {
    super(message, cause);
  }
}
