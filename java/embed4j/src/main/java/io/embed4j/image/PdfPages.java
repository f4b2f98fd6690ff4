package io.embed4j.image;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import org.apache.pdfbox.Loader;
import org.apache.pdfbox.contentstream.operator.Operator;
import org.apache.pdfbox.cos.COSBase;
import org.apache.pdfbox.filter.MissingImageReaderException;
import org.apache.pdfbox.io.IOUtils;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.common.PDRectangle;
import org.apache.pdfbox.pdmodel.encryption.InvalidPasswordException;
import org.apache.pdfbox.pdmodel.graphics.image.PDImage;
import org.apache.pdfbox.rendering.ImageType;
import org.apache.pdfbox.rendering.PDFRenderer;
import org.apache.pdfbox.rendering.PageDrawer;
import org.apache.pdfbox.rendering.PageDrawerParameters;

/**
 * The pages of one PDF as pictures, one at a time. Whatever the file holds, the outcome of a page is a picture or an
 * {@link ImageException}; a page that fails leaves the others alone.
 *
 * <p>Not thread-safe; close it to give the file back.
 */
public final class PdfPages implements AutoCloseable {
  private static final double POINTS_PER_INCH = 72;
  private static final double A4_POINTS = 595.276 * 841.89;

  /** Beyond the pixel budget, per side: text drawn larger and then reduced reads better than text drawn small. */
  private static final double OVERSAMPLING = 2;

  /** The range of a page's resolution. */
  public static final double MIN_DPI = 1;

  public static final double MAX_DPI = 2400;

  static {
    ImageIO.setUseCache(false); // PDFBox reads embedded JPEGs through ImageIO, which would write each to a file
  }

  private final PDDocument document;
  private final PdfLimits limits;

  private PdfPages(PDDocument document, PdfLimits limits) {
    this.document = document;
    this.limits = limits;
  }

  /**
   * Opens a file, which must stay as it is until closed.
   *
   * @throws ImageException io_error, bad_pdf, unsupported_image for one that needs a password, image_limit
   */
  public static PdfPages open(Path file, PdfLimits limits) {
    return open(
        limits,
        () -> {
          limits.image().checkBytes(Files.size(file));
          if (!Files.isReadable(file) || Files.isDirectory(file)) {
            throw new ImageException(ImageException.IO_ERROR, "the PDF cannot be read: no readable file");
          }
          return Loader.loadPDF(file.toFile(), IOUtils.createMemoryOnlyStreamCache());
        });
  }

  /** Opens a PDF held in memory; the array is not copied. Fails as {@link #open(Path, PdfLimits)} does. */
  public static PdfPages open(byte[] pdf, PdfLimits limits) {
    limits.image().checkBytes(pdf.length);
    return open(
        limits, () -> Loader.loadPDF(pdf, "", null, null, IOUtils.createMemoryOnlyStreamCache()));
  }

  private static PdfPages open(PdfLimits limits, PdfCall<PDDocument> loader) {
    PDDocument document = guarded("the PDF", loader);
    try {
      int pages = guarded("the PDF", document::getNumberOfPages);
      if (pages < 1) {
        throw new ImageException(ImageException.BAD_PDF, "the PDF has no pages");
      }
      if (pages > limits.maxPages()) {
        throw ImageException.limit("the PDF has %d pages, the limit is %d", pages, limits.maxPages());
      }
      return new PdfPages(document, limits);
    } catch (ImageException e) {
      IOUtils.closeQuietly(document);
      throw e;
    }
  }

  /** Pages of the document, at least 1. */
  public int pageCount() {
    return document.getNumberOfPages();
  }

  /**
   * The default resolution for a page: an A4 page has twice as many pixels per side as the model looks at, so that it
   * is only ever reduced. Larger pages get the same number of pixels, smaller pages the same resolution.
   *
   * @param page from 1
   * @param maxPixels of the image processor
   */
  public double defaultDpi(int page, long maxPixels) {
    PDRectangle box = box(page);
    double points = Math.max(A4_POINTS, (double) box.getWidth() * box.getHeight());
    return Math.min(MAX_DPI, OVERSAMPLING * POINTS_PER_INCH * Math.sqrt(maxPixels / points));
  }

  /**
   * Draws one page on white, turned as the document says.
   *
   * @param page from 1
   * @param dpi pixels per inch, 1 to 2400
   * @throws ImageException invalid_argument, bad_pdf, unsupported_image for a picture of a kind that cannot be decoded,
   *     image_limit
   */
  public RgbImage render(int page, double dpi) {
    if (!(dpi >= MIN_DPI && dpi <= MAX_DPI)) {
      throw new ImageException(
          ImageException.INVALID_ARGUMENT,
          "the resolution is %s dpi, expected %s to %s".formatted(dpi, MIN_DPI, MAX_DPI));
    }
    PDRectangle box = box(page);
    double scale = dpi / POINTS_PER_INCH;
    limits.image().checkSize(pixels(box.getWidth() * scale), pixels(box.getHeight() * scale));
    String what = "page " + page;
    BufferedImage image =
        guarded(what, () -> new Renderer(document, limits, what).renderImage(page - 1, (float) scale, ImageType.RGB));
    return guarded(what, () -> new ImageDecoder(limits.image(), false).decode(image));
  }

  /** As PDFBox counts them. */
  private static long pixels(double length) {
    return Math.max(1, (long) length);
  }

  private PDRectangle box(int page) {
    if (page < 1 || page > pageCount()) {
      throw new ImageException(
          ImageException.INVALID_ARGUMENT,
          "page %d does not exist, the document has pages 1 to %d".formatted(page, pageCount()));
    }
    return guarded("page " + page, () -> document.getPage(page - 1).getCropBox());
  }

  @Override
  public void close() {
    IOUtils.closeQuietly(document);
  }

  @FunctionalInterface
  private interface PdfCall<T> {
    T run() throws IOException;
  }

  private static <T> T guarded(String what, PdfCall<T> call) {
    try {
      return call.run();
    } catch (ImageException e) {
      throw e;
    } catch (InvalidPasswordException e) {
      throw new ImageException(ImageException.UNSUPPORTED_IMAGE, "the PDF is encrypted and needs a password", e);
    } catch (FileSystemException e) {
      throw new ImageException(ImageException.IO_ERROR, "the PDF cannot be read: " + ImageDecoder.describe(e), e);
    } catch (IOException | RuntimeException | StackOverflowError e) {
      throw new ImageException(
          ImageException.BAD_PDF, what + " cannot be read: " + ImageDecoder.describe(e), e);
    } catch (OutOfMemoryError e) {
      throw ImageDecoder.outOfMemory(e);
    }
  }

  /** PDFBox's renderer with the limits of one page; it would otherwise leave out what it cannot decode. */
  private static final class Renderer extends PDFRenderer {
    private final PdfLimits limits;
    private final String what;
    private final long start = System.nanoTime();

    Renderer(PDDocument document, PdfLimits limits, String what) {
      super(document);
      this.limits = limits;
      this.what = what;
    }

    @Override
    protected PageDrawer createPageDrawer(PageDrawerParameters parameters) throws IOException {
      return new PageDrawer(parameters) {
        @Override
        protected void processOperator(Operator operator, List<COSBase> operands) throws IOException {
          if (System.nanoTime() - start > limits.maxPageTime().toNanos()) {
            throw ImageException.limit(
                "%s takes longer to draw than the limit of %d s", what, limits.maxPageTime().toSeconds());
          }
          super.processOperator(operator, operands);
        }

        @Override
        public void drawImage(PDImage image) throws IOException {
          long pixels = (long) image.getWidth() * image.getHeight();
          if (pixels > limits.image().maxPixels()) {
            throw ImageException.limit(
                "%s has a picture of %d x %d pixels, the limit is %d in all",
                what, image.getWidth(), image.getHeight(), limits.image().maxPixels());
          }
          super.drawImage(image);
        }

        @Override
        protected void operatorException(Operator operator, List<COSBase> operands, IOException e)
            throws IOException {
          if (e instanceof MissingImageReaderException) {
            throw ImageException.unsupported("%s has a picture that cannot be decoded: %s", what, e.getMessage());
          }
          super.operatorException(operator, operands, e);
        }
      };
    }
  }
}
