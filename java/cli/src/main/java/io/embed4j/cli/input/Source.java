package io.embed4j.cli.input;

import io.embed4j.EmbeddingException;
import io.embed4j.ImageInput;
import io.embed4j.PdfDocument;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Locale;
import java.util.Set;

/**
 * Where a picture or a PDF comes from: a path, relative to the working directory, or a {@code data:} URI in base64. Nothing
 * is fetched from the network.
 *
 * @param reference path or URI; of bytes a name for them
 * @param bytes the picture or the PDF itself, where the input holds it; else null
 */
public record Source(String reference, byte[] bytes) {
  /** A path or a {@code data:} URI. */
  public Source(String reference) {
    this(reference, null);
  }

  private static final Set<String> PICTURES = Set.of("png", "jpg", "jpeg", "jpe", "webp", "tif", "tiff", "bmp", "gif");

  /** Whether an argument of the command line names a picture, by its extension. */
  public static boolean namesPicture(String argument) {
    return PICTURES.contains(extension(argument));
  }

  /** Whether an argument of the command line names a PDF, by its extension. */
  public static boolean namesPdf(String argument) {
    return extension(argument).equals("pdf");
  }

  /** Either. */
  public static boolean namesFile(String argument) {
    return namesPicture(argument) || namesPdf(argument);
  }

  private static String extension(String name) {
    return name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
  }

  /** The picture; only a data: URI is decoded at once. */
  public ImageInput picture() {
    if (bytes != null) return ImageInput.of(bytes);
    return isData() ? ImageInput.of(data()) : ImageInput.of(path());
  }

  /** The PDF, opened. */
  public PdfDocument pdf() {
    if (bytes != null) return PdfDocument.open(bytes);
    return isData() ? PdfDocument.open(data()) : PdfDocument.open(path());
  }

  /** Characters or bytes that it holds in memory. */
  long length() {
    return bytes == null ? reference.length() : bytes.length;
  }

  private boolean isData() {
    return reference.regionMatches(true, 0, "data:", 0, 5);
  }

  private Path path() {
    if (reference.matches("(?i)[a-z][a-z0-9+.-]+://.*")) {
      throw new EmbeddingException(EmbeddingException.UNSUPPORTED,
          shortened() + " is a URL; nothing is fetched, expected a path or a data: URI");
    }
    try {
      return Path.of(reference);
    } catch (InvalidPathException e) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, "not a path: " + e.getMessage(), e);
    }
  }

  /** Of {@code data:[media type];base64,...} (RFC 2397); what the media type says is left to the content. */
  private byte[] data() {
    int comma = reference.indexOf(',');
    if (comma < 0 || !reference.substring(0, comma).toLowerCase(Locale.ROOT).endsWith(";base64")) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT,
          "the data: URI begins with " + shortened() + ", expected data:...;base64,...");
    }
    try {
      return Base64.getDecoder().decode(reference.substring(comma + 1));
    } catch (IllegalArgumentException e) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, "the data: URI is not base64: " + e.getMessage(), e);
    }
  }

  private String shortened() {
    return reference.length() <= 60 ? reference : reference.substring(0, 60) + "...";
  }
}
