package io.embed4j;

import io.embed4j.image.ImageException;
import io.embed4j.image.PageSelection;
import io.embed4j.image.PdfLimits;
import io.embed4j.image.PdfPages;
import java.nio.file.Path;
import java.util.List;

/**
 * A PDF whose pages are embedded as pictures. A page is drawn when it is embedded, one at a time, and not kept.
 * Thread-safe; close it after its pages were embedded.
 *
 * {@snippet :
 * try (PdfDocument pdf = PdfDocument.open(Path.of("report.pdf"))) {
 *   List<Outcome> pages = model.embedAll(pdf.pages("1-3,7").stream()
 *       .map(page -> EmbeddingRequest.image(pdf.page(page)).multiVector(true)).toList());
 * }
 * }
 */
public final class PdfDocument implements AutoCloseable {
  /** The least resolution of a page, pixels per inch. */
  public static final double MIN_DPI = PdfPages.MIN_DPI;
  /** The largest resolution of a page, pixels per inch. */
  public static final double MAX_DPI = PdfPages.MAX_DPI;

  private final PdfPages pages;

  private PdfDocument(PdfPages pages) {
    this.pages = pages;
  }

  /**
   * Opens a file, which must stay as it is until closed.
   *
   * @throws EmbeddingException {@link EmbeddingException#IO_ERROR}, {@link EmbeddingException#BAD_PDF},
   *     {@link EmbeddingException#UNSUPPORTED_IMAGE} for one that needs a password, {@link EmbeddingException#IMAGE_LIMIT}
   */
  public static PdfDocument open(Path file) {
    try {
      return new PdfDocument(PdfPages.open(file, PdfLimits.DEFAULT));
    } catch (ImageException e) {
      throw ImageInput.error(e);
    }
  }

  /** Opens a PDF held in memory; fails as {@link #open(Path)} does. */
  public static PdfDocument open(byte[] pdf) {
    try {
      return new PdfDocument(PdfPages.open(pdf, PdfLimits.DEFAULT));
    } catch (ImageException e) {
      throw ImageInput.error(e);
    }
  }

  /** Pages of the document, at least 1. */
  public synchronized int pageCount() {
    return pages.pageCount();
  }

  /**
   * The pages a selection names, counted from 1.
   *
   * @param selection such as {@code 1-3,7} or {@code 5-}; null or blank for every page
   * @throws EmbeddingException {@link EmbeddingException#INVALID_ARGUMENT} when it is none or a page does not exist
   */
  public List<Integer> pages(String selection) {
    try {
      return PageSelection.parse(selection, pageCount());
    } catch (ImageException e) {
      throw ImageInput.error(e);
    }
  }

  /** A page, from 1, at a resolution chosen so that an A4 page is never enlarged to fill the model's pixel budget. */
  public ImageInput page(int page) {
    return ImageInput.of((decoder, maxPixels) -> {
      synchronized (this) {
        return pages.render(page, pages.defaultDpi(page, maxPixels));
      }
    });
  }

  /** A page, from 1, at a resolution of {@value #MIN_DPI} to {@value #MAX_DPI} pixels per inch. */
  public ImageInput page(int page, double dpi) {
    return ImageInput.of((decoder, maxPixels) -> {
      synchronized (this) {
        return pages.render(page, dpi);
      }
    });
  }

  @Override
  public synchronized void close() {
    pages.close();
  }
}
