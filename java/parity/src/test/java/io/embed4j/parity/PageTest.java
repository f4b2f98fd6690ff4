package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ImageInput;
import io.embed4j.MultiVectorEmbedding;
import io.embed4j.Outcome;
import io.embed4j.PatchGrid;
import io.embed4j.PdfDocument;
import io.embed4j.SimilarityMap;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageIO;
import org.apache.pdfbox.Loader;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.PDPage;
import org.apache.pdfbox.pdmodel.PDPageContentStream;
import org.apache.pdfbox.pdmodel.common.PDRectangle;
import org.apache.pdfbox.pdmodel.font.PDType1Font;
import org.apache.pdfbox.pdmodel.font.Standard14Fonts;
import org.apache.pdfbox.rendering.PDFRenderer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pages of a PDF, and where on a page a query's relevance lies. */
class PageTest extends OnTinyModel {
  private static final byte[] PDF = pdf();

  @TempDir
  Path folder;

  @Test
  void aPageEmbedsAsThePictureItIsDrawnAs() throws IOException {
    Path file = Files.write(folder.resolve("a.pdf"), PDF);
    try (PdfDocument pdf = PdfDocument.open(file); PDDocument document = Loader.loadPDF(PDF)) {
      assertEquals(3, pdf.pageCount());
      for (int page : pdf.pages("3,1-2")) {
        BufferedImage drawn = new PDFRenderer(document).renderImageWithDPI(page - 1, 60);
        assertArrayEquals(model.embed(EmbeddingRequest.image(ImageInput.of(drawn))).dense().toArray(),
            model.embed(EmbeddingRequest.image(pdf.page(page, 60))).dense().toArray(), "page " + page);
      }
      PatchGrid a4 = model.embed(EmbeddingRequest.image(pdf.page(1))).grid().orElseThrow();
      assertTrue(a4.tokens() > 0.93 * 602112 / 784 && a4.tokens() <= 602112 / 784, "the pixel budget is used: " + a4);
    }
  }

  @Test
  void pagesThatCannotBeReadLeaveTheOthersAlone() {
    try (PdfDocument pdf = PdfDocument.open(PDF)) {
      List<Outcome> outcomes = model.embedAll(List.of(request(pdf.page(1, 40)), request(pdf.page(4, 40)),
          request(pdf.page(2, 0.5)), request(pdf.page(2, 2400)), request(pdf.page(3, 40))));
      assertEquals(256, outcomes.get(0).orThrow().dense().dimensions());
      assertRefused(EmbeddingException.INVALID_ARGUMENT, () -> outcomes.get(1).orThrow());
      assertRefused(EmbeddingException.INVALID_ARGUMENT, () -> outcomes.get(2).orThrow());
      assertRefused(EmbeddingException.IMAGE_LIMIT, () -> outcomes.get(3).orThrow());
      assertEquals(256, outcomes.get(4).orThrow().dense().dimensions());
      assertRefused(EmbeddingException.INVALID_ARGUMENT, () -> pdf.pages("2-9"));
    }
    assertRefused(EmbeddingException.BAD_PDF, () -> PdfDocument.open(Arrays.copyOf(PDF, 40)));
    assertRefused(EmbeddingException.BAD_PDF, () -> PdfDocument.open(Reference.bytes("label.png")));
    assertRefused(EmbeddingException.IO_ERROR, () -> PdfDocument.open(folder.resolve("absent.pdf")));
  }

  @Test
  void aSimilarityMapIsTheMeanCosineOfTheQuerysTokens() throws IOException {
    ImageInput picture = Reference.picture("invoice.png");
    MultiVectorEmbedding query = model.embed(EmbeddingRequest.text("total due").multiVector(true)).multiVector();
    EmbeddingRequest request = request(picture).multiVector(true);
    MultiVectorEmbedding page = model.embed(request).multiVector();
    SimilarityMap map = SimilarityMap.of(query, page);
    assertEquals(page.grid().orElseThrow(), map.grid());
    assertEquals(map.grid().tokens(), map.scores().length);
    float[][] rows = page.toArrays();
    for (int t : new int[] {0, 17, map.scores().length - 1}) {
      double mean = 0;
      for (float[] token : query.toArrays()) mean += Reference.cosine(token, rows[map.grid().firstRow() + t]) / query.rows();
      assertEquals(mean, map.scores()[t], 1e-5);
    }
    MultiVectorEmbedding imageOnly = model.embed(request.imageTokensOnly(true)).multiVector();
    assertArrayEquals(map.scores(), SimilarityMap.of(query, imageOnly).scores());
    assertThrows(IllegalArgumentException.class, () -> SimilarityMap.of(page, query));

    List<SimilarityMap.Place> best = map.best(4);
    assertEquals(4, best.size());
    float highest = Float.NEGATIVE_INFINITY;
    for (float score : map.scores()) highest = Math.max(highest, score);
    assertEquals(highest, best.getFirst().score());
    for (int i = 0; i < 4; i++) {
      SimilarityMap.Place place = best.get(i);
      assertEquals(map.scores()[place.row() * map.grid().columns() + place.column()], place.score());
      for (SimilarityMap.Place better : best.subList(0, i)) {
        assertTrue(better.score() >= place.score(), "best first");
        assertTrue(Math.abs(better.row() - place.row()) > 1 || Math.abs(better.column() - place.column()) > 1, "apart");
      }
    }
    assertTrue(map.best(10_000).size() < map.scores().length / 2);

    ByteArrayOutputStream png = new ByteArrayOutputStream();
    map.writePng(picture, png);
    BufferedImage painted = ImageIO.read(new ByteArrayInputStream(png.toByteArray()));
    assertEquals(800, painted.getHeight() - 64, "the page's longer side, above the legend");
  }

  private static EmbeddingRequest request(ImageInput page) {
    return EmbeddingRequest.image(page);
  }

  /** An A4 page, one turned, one small. */
  private static byte[] pdf() {
    try (PDDocument document = new PDDocument()) {
      for (PDRectangle box : List.of(PDRectangle.A4, PDRectangle.A5, new PDRectangle(200, 100))) {
        PDPage page = new PDPage(box);
        if (box == PDRectangle.A5) page.setRotation(90);
        document.addPage(page);
        try (PDPageContentStream content = new PDPageContentStream(document, page)) {
          content.setNonStrokingColor(0.8f, 0.1f, 0.1f);
          content.addRect(10, 10, 60, 30);
          content.fill();
          content.beginText();
          content.setFont(new PDType1Font(Standard14Fonts.FontName.HELVETICA), 18);
          content.newLineAtOffset(20, 60);
          content.showText("Page of width " + box.getWidth());
          content.endText();
        }
      }
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      document.save(out);
      return out.toByteArray();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
