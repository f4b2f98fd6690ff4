package io.embed4j.cli.output;

import io.embed4j.cli.base.UnusableException;

/** A file of a job cannot be written, as when the disk is full: what was synced before is good to go on from. */
public final class WriteFailedException extends UnusableException {
  private static final long serialVersionUID = 1L;

  WriteFailedException(String message, Throwable cause) {
    super(message, cause);
  }
}
