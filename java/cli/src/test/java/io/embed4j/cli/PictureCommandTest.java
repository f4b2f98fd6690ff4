package io.embed4j.cli;

import static io.embed4j.cli.CommandLineTest.assertUnusable;
import static io.embed4j.cli.CommandLineTest.assertVector;
import static io.embed4j.cli.CommandLineTest.run;
import static io.embed4j.cli.CommandLineTest.stream;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ImageInput;
import io.embed4j.PdfDocument;
import io.embed4j.Task;
import io.embed4j.cli.base.Json;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.PDPage;
import org.apache.pdfbox.pdmodel.common.PDRectangle;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pictures, PDFs and similarity maps as a user asks for them. */
class PictureCommandTest {
  private static final String PIXELS = "40000"; // 50 tokens a picture: quick

  @TempDir
  static Path folder;
  private static Path model;
  private static Path invoice;
  private static Path report;

  @BeforeAll
  static void makeModelAndFiles() throws IOException {
    model = folder.resolve("model");
    assertEquals(0, run("synth", model.toString(), "--type", "bf16").code());
    invoice = bundled("invoice.png");
    report = bundled("report.pdf");
  }

  @Test
  void argumentsThatNameFilesArePicturesAndPages() throws IOException {
    Path upper = Files.copy(invoice, folder.resolve("A Scan.PNG"));
    List<JsonNode> lines = embed("a text", relative(invoice), report.toString(), upper.toString());
    assertEquals("[0, 1, 2:1, 2:2, 3]", places(lines));
    assertFalse(lines.getFirst().has("image_tokens"));
    try (EmbeddingModel open = EmbeddingModel.open(model); PdfDocument pdf = PdfDocument.open(report)) {
      assertVector(open.embed(EmbeddingRequest.text("a text")).dense().toArray(), lines.get(0).get("embedding"));
      assertPicture(open, ImageInput.of(invoice), lines.get(1));
      assertPicture(open, pdf.page(1), lines.get(2));
      assertPicture(open, pdf.page(2), lines.get(3));
      assertEquals(lines.get(1).get("embedding"), lines.get(4).get("embedding"));
    }
  }

  @Test
  void linesNamePathsDataAndPages() throws IOException {
    String data = Base64.getEncoder().encodeToString(Files.readAllBytes(invoice));
    String pdf = Base64.getEncoder().encodeToString(Files.readAllBytes(report));
    List<JsonNode> lines = embedLines(0, """
        {"id": "path", "image": "%s", "task": "code"}
        {"id": "data", "image": "data:image/png;base64,%s"}
        {"id": "text", "text": "hello"}
        {"id": "pages", "pdf": "%s", "pages": "2,1"}
        {"id": "page", "pdf": "data:application/pdf;base64,%s", "pages": "2-"}
        """.formatted(invoice, data, relative(report), pdf));
    assertEquals("[\"path\", \"data\", \"text\", \"pages\":2, \"pages\":1, \"page\":2]", places(lines));
    assertEquals(lines.get(3).get("embedding"), lines.get(5).get("embedding"));
    try (EmbeddingModel open = EmbeddingModel.open(model)) {
      EmbeddingRequest request = EmbeddingRequest.image(invoice).maxPixels(40_000);
      assertVector(open.embed(request.task(Task.CODE)).dense().toArray(), lines.get(0).get("embedding"));
      assertVector(open.embed(request).dense().toArray(), lines.get(1).get("embedding"));
    }
  }

  @Test
  void rowsComeWithThePlaceOfTheImageTokens() throws IOException {
    JsonNode all = embed("--multi-vector", invoice.toString()).getFirst();
    int tokens = all.get("image_tokens").intValue();
    int first = all.get("first_image_row").intValue();
    assertEquals(tokens, all.get("grid").get(0).intValue() * all.get("grid").get(1).intValue());
    assertTrue(first > 0 && all.get("embeddings").size() > first + tokens);
    JsonNode only = embed("--multi-vector", "--image-tokens-only", invoice.toString()).getFirst();
    assertEquals(0, only.get("first_image_row").intValue());
    assertEquals(all.get("grid"), only.get("grid"));
    assertEquals(tokens, only.get("embeddings").size());
    assertEquals(all.get("embeddings").get(first + 7), only.get("embeddings").get(7));
    assertFalse(embed("--multi-vector", "text").getFirst().has("grid"));
  }

  @Test
  void optionsReachThePictures() throws IOException {
    String[] files = {invoice.toString(), report.toString()};
    List<JsonNode> plain = embed(files);
    List<JsonNode> coarse = embed("--dpi", "20", files[0], files[1]);
    assertEquals(plain.get(0), coarse.get(0));
    assertNotEquals(plain.get(1), coarse.get(1));
    JsonNode enlarged = embedRaw(0, "--min-pixels", "500000", invoice.toString()).getFirst();
    assertTrue(enlarged.get("image_tokens").intValue() > 600, enlarged.toPrettyString().substring(0, 60));
    Path turned = Files.write(folder.resolve("turned.jpg"), withOrientation(Files.readAllBytes(bundled("chart.jpg"))));
    assertNotEquals(embed(turned.toString()), embed("--apply-orientation", turned.toString()));
    assertEquals(embed(bundled("chart.jpg").toString()), embed(turned.toString()));
  }

  @Test
  void aBadItemGetsItsCodeAndLeavesTheOthersAlone() throws IOException {
    byte[] png = Files.readAllBytes(invoice);
    Files.write(folder.resolve("cut.png"), Arrays.copyOf(png, 5000));
    Files.writeString(folder.resolve("text.jpg"), "a text that is named as a picture");
    Files.write(folder.resolve("cut.pdf"), Arrays.copyOf(Files.readAllBytes(report), 300));
    Files.write(folder.resolve("picture.pdf"), png);
    List<JsonNode> lines = embedLines(1, """
        {"id": "good", "image": "%1$s/invoice.png"}
        {"id": "bad_image", "image": "%1$s/cut.png"}
        {"id": "unsupported_image", "image": "%1$s/text.jpg"}
        {"id": "bad_pdf", "pdf": "%1$s/cut.pdf"}
        {"id": "bad_pdf", "pdf": "%1$s/picture.pdf"}
        {"id": "unsupported_image", "image": "%1$s/report.pdf"}
        {"id": "io_error", "image": "%1$s/absent.png"}
        {"id": "io_error", "pdf": "%1$s/absent.pdf"}
        {"id": "io_error", "image": "%1$s"}
        {"id": "io_error", "image": ""}
        {"id": "invalid_argument", "image": "a\\u0000b.png"}
        {"id": "invalid_argument", "pdf": "%1$s/report.pdf", "pages": "1-9"}
        {"id": "invalid_argument", "pdf": "%1$s/report.pdf", "pages": "one"}
        {"id": "invalid_argument", "pdf": "%1$s/report.pdf", "task": "poetry"}
        {"id": "invalid_argument", "image": "data:image/png,abc"}
        {"id": "invalid_argument", "image": "data:image/png;base64,***"}
        {"id": "bad_image", "image": "data:image/png;base64,"}
        {"id": "unsupported", "image": "https://example.org/a.png"}
        {"id": "malformed_line", "image": null}
        {"id": "malformed_line", "image": "a.png", "pdf": "a.pdf"}
        {"id": "good", "image": "%1$s/invoice.png"}
        """.formatted(folder));
    assertEquals(21, lines.size());
    for (JsonNode line : lines) {
      String code = line.at("/error/code").asText("good");
      assertEquals(line.get("id").textValue(), code.isEmpty() ? "good" : code, line.toString());
    }
    assertEquals(lines.getFirst(), lines.getLast());
  }

  @Test
  void aPageThatFailsIsNamed() throws IOException {
    Path pdf = folder.resolve("narrow.pdf");
    try (PDDocument document = new PDDocument()) {
      document.addPage(new PDPage(new PDRectangle(100, 100)));
      document.addPage(new PDPage(new PDRectangle(3, 3000)));
      document.addPage(new PDPage(new PDRectangle(100, 100)));
      document.save(pdf.toFile());
    }
    List<JsonNode> lines = embedRaw(1, "--max-pixels", PIXELS, pdf.toString());
    assertEquals("[0:1, 0:2, 0:3]", places(lines));
    assertEquals("image_limit", lines.get(1).at("/error/code").textValue());
    assertEquals(lines.get(0).get("embedding"), lines.get(2).get("embedding"));
  }

  @Test
  void aModelWithoutVisionEmbedsTextsAndSaysWhatIsMissing() throws IOException {
    Path textOnly = Files.createDirectory(folder.resolve("text-only"));
    for (String file : List.of("text.gguf", "adapter-retrieval.gguf", "adapter-text-matching.gguf", "adapter-code.gguf")) {
      Files.copy(model.resolve(file), textOnly.resolve(file));
    }
    List<JsonNode> lines = stream(1, "embed", "-m", textOnly.toString(), "hello", invoice.toString());
    assertTrue(lines.get(0).has("embedding"));
    assertEquals("unsupported", lines.get(1).at("/error/code").textValue());
    assertTrue(lines.get(1).at("/error/message").textValue().contains("vision.gguf"));
    assertUnusable("vision.gguf", "embed", "-m", textOnly.toString(), "--max-pixels", "1000", "hello");
  }

  @Test
  void explainPaintsAMapAndNamesThePlaces() throws IOException {
    for (String[] page : new String[][] {{invoice.toString()}, {report.toString(), "--page", "2"}}) {
      Path map = folder.resolve("map-" + page.length + ".png");
      String[] arguments = {"explain", "-m", model.toString(), "--query", "total due", "--output", map.toString(),
          "--max-pixels", PIXELS};
      CommandLineTest.Result result = run(IntStream.range(0, arguments.length + page.length)
          .mapToObj(i -> i < arguments.length ? arguments[i] : page[i - arguments.length]).toArray(String[]::new));
      assertEquals(0, result.code(), result.err());
      assertTrue(result.out().startsWith(map + System.lineSeparator() + "best of "), result.out());
      assertTrue(result.out().contains("  5.  ") && result.out().contains("MaxSim "), result.out());
      BufferedImage painted = ImageIO.read(map.toFile());
      assertTrue(painted.getHeight() >= 800 && painted.getWidth() > 400, painted.toString());
    }
  }

  @Test
  void badUsageIsRefusedBeforeAnythingIsEmbedded() {
    String m = model.toString();
    String page = invoice.toString();
    String out = folder.resolve("never.png").toString();
    assertUnusable("--multi-vector", "embed", "-m", m, "--image-tokens-only", page);
    assertUnusable("--dpi is 0.5", "embed", "-m", m, "--dpi", "0.5", page);
    assertUnusable("--dpi is NaN", "embed", "-m", m, "--dpi", "NaN", page);
    assertUnusable("pixels", "embed", "-m", m, "--max-pixels", "-1", page);
    assertUnusable("pixels", "embed", "-m", m, "--min-pixels", "5000", "--max-pixels", "4000", page);
    assertUnusable("--output is the file", "embed", "-m", m, page, "--output", page);
    assertUnusable("--query", "explain", "-m", m, page, "--output", out);
    assertUnusable("--page", "explain", "-m", m, "--query", "q", "--page", "1", page, "--output", out);
    assertUnusable("page 3 does not exist", "explain", "-m", m, "--query", "q", "--page", "3", report.toString(), "--output",
        out);
    assertUnusable("the page itself", "explain", "-m", m, "--query", "q", page, "--output", page);
    assertUnusable("absent.png", "explain", "-m", m, "--query", "q", "absent.png", "--output", out);
    assertUnusable("cannot write", "explain", "-m", m, "--query", "q", page, "--output", folder + "/absent/map.png");
    assertFalse(Files.exists(Path.of(out)));
  }

  @Test
  void tokenizeTakesTextsOnly() throws Exception {
    Path in = Files.writeString(folder.resolve("tokenize.jsonl"), "{\"image\": \"a.png\"}\n{\"text\": \"a.png\"}\n");
    Process process = CommandLineTest.start("tokenize", "-m", model.toString(), "--input", in.toString());
    List<String> lines = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    assertEquals(1, process.waitFor());
    assertEquals("unsupported", Json.MAPPER.readTree(lines.get(0)).at("/error/code").textValue());
    assertTrue(lines.get(1).startsWith("{\"id\":null,\"ids\":["), lines.get(1));
  }

  private static List<JsonNode> embed(String... arguments) throws IOException {
    String[] all = Arrays.copyOf(arguments, arguments.length + 2);
    all[arguments.length] = "--max-pixels";
    all[arguments.length + 1] = PIXELS;
    return embedRaw(0, all);
  }

  private static List<JsonNode> embedLines(int code, String lines) throws IOException {
    Path in = Files.writeString(folder.resolve("in.jsonl"), lines);
    return embedRaw(code, "--max-pixels", PIXELS, "--input", in.toString());
  }

  private static List<JsonNode> embedRaw(int code, String... arguments) throws IOException {
    String[] all = new String[arguments.length + 3];
    System.arraycopy(new String[] {"embed", "-m", model.toString()}, 0, all, 0, 3);
    System.arraycopy(arguments, 0, all, 3, arguments.length);
    return stream(code, all);
  }

  private static void assertPicture(EmbeddingModel open, ImageInput picture, JsonNode line) {
    var embedding = open.embed(EmbeddingRequest.image(picture).maxPixels(40_000));
    assertVector(embedding.dense().toArray(), line.get("embedding"));
    assertEquals(embedding.imageTokens(), line.get("image_tokens").intValue());
  }

  /** Ids, with pages after a colon. */
  private static String places(List<JsonNode> lines) {
    return lines.stream().map(line -> line.get("id") + (line.has("page") ? ":" + line.get("page") : ""))
        .collect(Collectors.joining(", ", "[", "]"));
  }

  private static String relative(Path file) {
    return Path.of("").toAbsolutePath().relativize(file.toAbsolutePath()).toString();
  }

  /** One of quickstart's files, as a file. */
  private static Path bundled(String name) throws IOException {
    Path file = folder.resolve(name);
    if (!Files.exists(file)) {
      try (InputStream in = Main.class.getResourceAsStream(name)) {
        Files.copy(in, file);
      }
    }
    return file;
  }

  /** The JPEG with an EXIF segment that says: turned by 90 degrees. */
  private static byte[] withOrientation(byte[] jpeg) {
    byte[] exif = {(byte) 0xFF, (byte) 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3,
        0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0};
    byte[] turned = new byte[jpeg.length + exif.length];
    System.arraycopy(jpeg, 0, turned, 0, 2);
    System.arraycopy(exif, 0, turned, 2, exif.length);
    System.arraycopy(jpeg, 2, turned, 2 + exif.length, jpeg.length - 2);
    return turned;
  }
}
