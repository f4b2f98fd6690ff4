package io.embed4j.image;

import java.util.Objects;

/** Why one image, one PDF or one page of it cannot be used; the message says what was found and what is expected. */
public final class ImageException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Truncated, corrupt, or not an image at all. */
  public static final String BAD_IMAGE = "bad_image";
  /** A PDF, or one page of it, that is truncated, corrupt or not a PDF at all. */
  public static final String BAD_PDF = "bad_pdf";
  /** Well formed, but of a kind that is not decoded here; the message names it. */
  public static final String UNSUPPORTED_IMAGE = "unsupported_image";
  /** Beyond a limit on pixels, bytes, pages, time or aspect ratio; the message gives both numbers. */
  public static final String IMAGE_LIMIT = "image_limit";
  /** The file could not be read. */
  public static final String IO_ERROR = "io_error";
  /** A page selection that names no page of the document, a DPI out of range, and the like. */
  public static final String INVALID_ARGUMENT = "invalid_argument";

  private final String code;

  /** An error with one of the codes above. */
  public ImageException(String code, String message) {
    this(code, message, null);
  }

  /** An error with one of the codes above and what caused it. */
  public ImageException(String code, String message, Throwable cause) {
    super(message, cause);
    this.code = Objects.requireNonNull(code);
  }

  /** The stable code: one of the constants of this class. */
  public String code() {
    return code;
  }

  static ImageException bad(String message, Object... arguments) {
    return new ImageException(BAD_IMAGE, message.formatted(arguments));
  }

  static ImageException unsupported(String message, Object... arguments) {
    return new ImageException(UNSUPPORTED_IMAGE, message.formatted(arguments));
  }

  static ImageException limit(String message, Object... arguments) {
    return new ImageException(IMAGE_LIMIT, message.formatted(arguments));
  }
}
