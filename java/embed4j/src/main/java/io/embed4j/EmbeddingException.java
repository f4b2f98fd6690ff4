package io.embed4j;

import java.util.Objects;

/**
 * What went wrong with a model, a request or a file, in words for a person and as a stable code for a program.
 *
 * <p>The codes are part of the API: they appear in the command line's JSON lines and never change their meaning.
 */
public final class EmbeddingException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** A value out of its range: a dimension the model does not list, an unpaired surrogate, a negative limit. */
  public static final String INVALID_ARGUMENT = "invalid_argument";
  /** The text has more tokens than the limit and truncation was not asked for. */
  public static final String TOO_LONG = "too_long";
  /** A file could not be opened, read, mapped or written. */
  public static final String IO_ERROR = "io_error";
  /** A file is truncated, corrupt or does not fit the others of its model. */
  public static final String BAD_MODEL = "bad_model";
  /** Well formed, but this model or this build cannot do it; the message names what is missing. */
  public static final String UNSUPPORTED = "unsupported";
  /** A picture is truncated, corrupt, or not a picture at all. */
  public static final String BAD_IMAGE = "bad_image";
  /** A PDF, or one page of it, is truncated, corrupt or not a PDF at all. */
  public static final String BAD_PDF = "bad_pdf";
  /** A well-formed picture or PDF of a kind that cannot be decoded here. */
  public static final String UNSUPPORTED_IMAGE = "unsupported_image";
  /** A picture or PDF is beyond a limit on pixels, bytes, pages, time or aspect ratio; the message gives both numbers. */
  public static final String IMAGE_LIMIT = "image_limit";
  /** The native library is missing, of another version, or may not be called. */
  public static final String NATIVE_LIBRARY = "native_library";
  /** The GPU asked for, its driver or a library that it needs is missing or too old; the message says where it was looked for. */
  public static final String DEVICE_UNAVAILABLE = "device_unavailable";
  /** Not enough memory for this batch or this model. */
  public static final String OUT_OF_MEMORY = "out_of_memory";
  /** A {@link Cancellation} ended the call, or the calling thread was interrupted before its turn came. */
  public static final String CANCELLED = "cancelled";
  /** A defect of Embed4J itself. */
  public static final String INTERNAL = "internal";

  private final String code;

  /** An error with one of the codes above. */
  public EmbeddingException(String code, String message) {
    this(code, message, null);
  }

  /** An error with one of the codes above and what caused it. */
  public EmbeddingException(String code, String message, Throwable cause) {
    super(message, cause);
    this.code = Objects.requireNonNull(code);
  }

  /** The stable code: one of the constants of this class. */
  public String code() {
    return code;
  }
}
