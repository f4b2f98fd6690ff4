package io.embed4j.image;

import static io.embed4j.image.ImageDecoderTest.assertCode;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import org.apache.pdfbox.cos.COSName;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.PDPage;
import org.apache.pdfbox.pdmodel.PDPageContentStream;
import org.apache.pdfbox.pdmodel.common.PDRectangle;
import org.apache.pdfbox.pdmodel.encryption.AccessPermission;
import org.apache.pdfbox.pdmodel.encryption.StandardProtectionPolicy;
import org.apache.pdfbox.pdmodel.graphics.color.PDDeviceGray;
import org.apache.pdfbox.pdmodel.graphics.image.PDImageXObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PdfPagesTest {
  private static final long MAX_PIXELS = 602112;
  private static final byte[] PDF = document(null);

  @Test
  void drawsEachPageTurnedAsTheDocumentSays() {
    try (PdfPages pages = PdfPages.open(PDF, PdfLimits.DEFAULT)) {
      assertEquals(3, pages.pageCount());
      RgbImage upright = pages.render(1, 72);
      assertEquals(595, upright.width());
      assertEquals(841, upright.height());
      assertPixel(255, 255, 255, upright, 300, 400);
      assertPixel(255, 0, 0, upright, 20, 20); // a red square in the top left corner
      RgbImage turned = pages.render(2, 72);
      assertEquals(841, turned.width());
      assertPixel(255, 0, 0, turned, 820, 20); // by 90 degrees clockwise
      assertEquals(144, pages.render(3, 144).width());
    }
  }

  @Test
  void theDefaultResolutionFillsThePixelBudgetWithoutEnlarging() {
    float[] one = {1, 1, 1};
    ImageProcessor processor = new ImageProcessor(3136, MAX_PIXELS, 14, 2, 2, one, one);
    try (PdfPages pages = PdfPages.open(PDF, PdfLimits.DEFAULT)) {
      double dpi = pages.defaultDpi(1, MAX_PIXELS);
      RgbImage page = pages.render(1, dpi);
      ImageGrid grid = processor.grid(page.width(), page.height());
      assertTrue(page.width() >= 14 * grid.width() && page.height() >= 14 * grid.height());
      assertTrue(grid.patches() * 196 > 0.93 * MAX_PIXELS, "grid " + grid);
      assertEquals(dpi, pages.defaultDpi(3, MAX_PIXELS), 1e-3); // smaller than A4: the same resolution
    }
  }

  @Test
  void refusesWhatIsOutOfRange() {
    try (PdfPages pages = PdfPages.open(PDF, PdfLimits.DEFAULT)) {
      assertCode("invalid_argument", () -> pages.render(0, 72));
      assertCode("invalid_argument", () -> pages.render(4, 72));
      assertCode("invalid_argument", () -> pages.render(1, 0));
      assertCode("invalid_argument", () -> pages.render(1, Double.NaN));
      assertCode("image_limit", () -> pages.render(1, 2400));
      assertEquals(595, pages.render(1, 72).width()); // an error leaves the others alone
    }
    assertCode("image_limit", () -> PdfPages.open(PDF, new PdfLimits(ImageLimits.DEFAULT, 2, Duration.ofSeconds(9))));
    assertCode(
        "image_limit",
        () -> PdfPages.open(PDF, new PdfLimits(new ImageLimits(1000, PDF.length - 1), 9, Duration.ofSeconds(9))));
    try (PdfPages pages = PdfPages.open(PDF, new PdfLimits(ImageLimits.DEFAULT, 9, Duration.ofNanos(1)))) {
      assertCode("image_limit", () -> pages.render(1, 72));
    }
  }

  @Test
  void aPasswordIsAskedForByName() {
    assertCode("unsupported_image", () -> PdfPages.open(document("secret"), PdfLimits.DEFAULT));
  }

  @Test
  void picturesBeyondTheLimitOrOfAnUnknownKindAreErrorsNotGaps() {
    byte[] large = pdfWithPicture(40_000, 40_000, COSName.FLATE_DECODE);
    byte[] jpeg2000 = pdfWithPicture(8, 8, COSName.JPX_DECODE);
    try (PdfPages pages = PdfPages.open(large, PdfLimits.DEFAULT)) {
      assertCode("image_limit", () -> pages.render(1, 72));
    }
    try (PdfPages pages = PdfPages.open(jpeg2000, PdfLimits.DEFAULT)) {
      assertCode("unsupported_image", () -> pages.render(1, 72));
    }
  }

  @Test
  void readsFiles(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("three pages.pdf");
    Files.write(file, PDF);
    try (PdfPages pages = PdfPages.open(file, PdfLimits.DEFAULT)) {
      assertEquals(595, pages.render(1, 72).width());
    }
    Files.write(file, Goldens.IMAGES.get("rgb8.png"));
    assertCode("bad_pdf", () -> PdfPages.open(file, PdfLimits.DEFAULT));
    assertCode("io_error", () -> PdfPages.open(directory.resolve("missing.pdf"), PdfLimits.DEFAULT));
    assertCode("io_error", () -> PdfPages.open(directory, PdfLimits.DEFAULT));
  }

  @Test
  void damagedFilesGivePagesOrErrors() {
    Random random = new Random(5);
    PdfLimits limits = new PdfLimits(new ImageLimits(1 << 20, 1 << 20), 10, Duration.ofSeconds(10));
    for (int i = 0; i < 300; i++) {
      byte[] damaged = i % 3 == 0 ? Arrays.copyOf(PDF, random.nextInt(PDF.length)) : PDF.clone();
      for (int flips = 0; flips < 4 && damaged.length > 0; flips++) {
        damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
      }
      try (PdfPages pages = PdfPages.open(damaged, limits)) {
        pages.render(1, 36);
      } catch (ImageException expected) {
        assertTrue(expected.getMessage().length() > 10);
      }
    }
  }

  private static void assertPixel(int red, int green, int blue, RgbImage image, int x, int y) {
    int at = 3 * (y * image.width() + x);
    assertEquals(red, image.rgb()[at] & 0xFF);
    assertEquals(green, image.rgb()[at + 1] & 0xFF);
    assertEquals(blue, image.rgb()[at + 2] & 0xFF);
  }

  /** An A4 page, one turned by 90 degrees, and one of an inch by two, each with a red square. */
  private static byte[] document(String password) {
    try (PDDocument document = new PDDocument()) {
      for (int i = 0; i < 3; i++) {
        PDPage page = new PDPage(i < 2 ? PDRectangle.A4 : new PDRectangle(72, 144));
        page.setRotation(i == 1 ? 90 : 0);
        document.addPage(page);
        try (PDPageContentStream content = new PDPageContentStream(document, page)) {
          content.setNonStrokingColor(1f, 0f, 0f);
          content.addRect(10, page.getMediaBox().getHeight() - 40, 30, 30);
          content.fill();
        }
      }
      if (password != null) {
        document.protect(new StandardProtectionPolicy("owner", password, new AccessPermission()));
      }
      return save(document);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static byte[] pdfWithPicture(int width, int height, COSName filter) {
    try (PDDocument document = new PDDocument()) {
      PDPage page = new PDPage(PDRectangle.A4);
      document.addPage(page);
      PDImageXObject picture =
          new PDImageXObject(
              document, new ByteArrayInputStream(new byte[64]), filter, width, height, 8, PDDeviceGray.INSTANCE);
      try (PDPageContentStream content = new PDPageContentStream(document, page)) {
        content.drawImage(picture, 100, 100, 200, 200);
      }
      return save(document);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static byte[] save(PDDocument document) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    document.save(out);
    return out.toByteArray();
  }
}
