package io.embed4j.server;

import java.util.Base64;
import java.util.Locale;

/** The bytes of pictures and PDFs, from base64, data: URIs and, where allowed, URLs; never from a path. Thread-safe. */
final class FileInputs {
  private final Fetcher fetcher; // null: nothing is fetched
  private final int maxBytes;

  FileInputs(Fetcher fetcher, int maxBytes) {
    this.fetcher = fetcher;
    this.maxBytes = maxBytes;
  }

  byte[] read(String reference, Object... field) throws RequestException, InterruptedException {
    String start = reference.substring(0, Math.min(8, reference.length())).toLowerCase(Locale.ROOT);
    if (start.startsWith("http://") || start.startsWith("https://")) {
      if (fetcher != null) return fetcher.fetch(reference, field);
      throw RequestException.of(Problem.INVALID, "this server fetches no URLs, expected base64", field);
    }
    int from = 0;
    if (start.startsWith("data:")) {
      from = reference.indexOf(',') + 1;
      if (from == 0 || !reference.substring(0, from).toLowerCase(Locale.ROOT).endsWith(";base64,")) {
        throw RequestException.of(Problem.INVALID, "the data: URI is not of the form data:...;base64,...", field);
      }
    }
    long bytes = (reference.length() - from) * 3L / 4;
    if (bytes > maxBytes + 2L) {
      throw RequestException.of(Problem.INVALID, "the file has " + bytes + " bytes, the limit is " + maxBytes, field);
    }
    String base64 = reference.substring(from);
    try {
      boolean url = base64.indexOf('-') >= 0 || base64.indexOf('_') >= 0;
      return (url ? Base64.getUrlDecoder() : Base64.getDecoder()).decode(base64);
    } catch (IllegalArgumentException e) {
      throw RequestException.of(Problem.INVALID, "expected " + (fetcher == null ? "" : "a URL, ") + "a data: URI or base64", field);
    }
  }
}
