package io.embed4j.cli;

import static io.embed4j.cli.CommandLineTest.assertUnusable;
import static io.embed4j.cli.CommandLineTest.assertVector;
import static io.embed4j.cli.CommandLineTest.lines;
import static io.embed4j.cli.CommandLineTest.run;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.CRC32C;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.PDPage;
import org.apache.pdfbox.pdmodel.common.PDRectangle;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Jobs over corpora: what is refused, where failures go, what the files hold. */
class JobTest {
  @TempDir
  static Path folder;
  private static Path model;

  @BeforeAll
  static void makeModel() throws IOException {
    model = folder.resolve("model");
    assertEquals(0, run("synth", model.toString(), "--type", "bf16").code());
    for (String name : List.of("invoice.png", "report.pdf")) {
      try (InputStream in = Main.class.getResourceAsStream(name)) {
        Files.copy(in, folder.resolve(name));
      }
    }
  }

  @Test
  void nothingIsOverwrittenUnasked() throws IOException {
    Path out = Files.writeString(folder.resolve("kept.jsonl"), "kept");
    assertUnusable("kept.jsonl exists; --overwrite", arguments(out, "text"));
    assertEquals("kept", Files.readString(out));
    assertEquals(0, run(arguments(out, "text", "--overwrite")).code());
    assertEquals(1, lines(out).size());
    Files.writeString(folder.resolve("new.ids.jsonl"), "kept");
    assertUnusable("new.ids.jsonl exists", arguments(folder.resolve("new.npy"), "text"));
    assertUnusable("exclude each other", arguments(out, "text", "--overwrite", "--resume"));
    assertUnusable(".jsonl, .ndjson, .parquet or .npy", arguments(folder.resolve("out.json"), "text"));
    assertUnusable("--resume", "embed", "-m", model.toString(), "--resume", "text");
  }

  @Test
  void resumingUnderOtherSettingsOrWithAnotherInputIsRefused() throws IOException {
    Path in = Files.writeString(folder.resolve("in.jsonl"), "{\"text\":\"a\"}\n{\"text\":\n{\"text\":\"b\"}\n");
    Path out = folder.resolve("refused.jsonl");
    CommandLineTest.Result stopped = run(job(in, out, "--fail-fast"));
    assertEquals(3, stopped.code(), stopped.err());
    assertTrue(stopped.err().contains("{\"line\":2,\"byte\":13} malformed_line"), stopped.err());
    assertUnusable("refused.jsonl.progress", job(in, out));
    assertUnusable("--task was retrieval and is now code", job(in, out, "--resume", "--task", "code"));
    assertUnusable("--embedding-type was float32 and is now int8", job(in, out, "--resume", "--embedding-type", "int8"));
    Path other = folder.resolve("other-model");
    assertEquals(0, run("synth", other.toString(), "--salt", "other", "--type", "bf16").code());
    String[] otherModel = job(in, out, "--resume");
    otherModel[2] = other.toString();
    assertUnusable("model text was", otherModel);
    byte[] lines = Files.readAllBytes(in);
    Files.writeString(in, "{\"text\":\"c\"}\n{\"text\":\n{\"text\":\"b\"}\n");
    assertUnusable("input content was", job(in, out, "--resume"));
    Files.write(in, lines);
    Path journal = folder.resolve("refused.jsonl.progress");
    Files.writeString(journal, onAnotherMachine(Files.readString(journal)));
    CommandLineTest.Result again = run(job(in, out, "--resume", "--fail-fast"));
    assertEquals(3, again.code(), "the item is tried again");
    assertTrue(again.err().contains("CPU tier was elsewhere and is now "), again.err());
    assertEquals(1, run(job(in, out, "--resume", "--max-failures", "1")).code());
    assertEquals(2, lines(out).size());
    assertEquals(1, lines(folder.resolve("refused.jsonl.errors.jsonl")).size());
  }

  /** The journal as if it had been begun on another CPU tier, its first line's checksum made anew. */
  private static String onAnotherMachine(String journal) {
    String first = journal.substring(9, journal.indexOf('\n')).replaceFirst("\"CPU tier\":\"[^\"]+\"", "\"CPU tier\":\"elsewhere\"");
    CRC32C crc = new CRC32C();
    crc.update(first.getBytes(StandardCharsets.US_ASCII));
    return HexFormat.of().toHexDigits((int) crc.getValue()) + " " + first + journal.substring(journal.indexOf('\n'));
  }

  @Test
  void aJobGoesOnInTheMiddleOfAPdf() throws IOException {
    Path pdf = folder.resolve("narrow.pdf");
    try (PDDocument document = new PDDocument()) {
      for (int i = 1; i <= 4; i++) document.addPage(new PDPage(i == 3 ? new PDRectangle(3, 3000) : new PDRectangle(100, 100)));
      document.save(pdf.toFile());
    }
    Path out = folder.resolve("pages.jsonl");
    assertEquals(3, run(arguments(out, pdf.toString(), "--fail-fast")).code());
    assertEquals(2, Files.readAllLines(folder.resolve("pages.jsonl.part")).size());
    assertEquals(1, run(arguments(out, pdf.toString(), "--resume")).code());
    assertEquals("[1, 2, 4]", lines(out).stream().map(line -> line.get("page")).toList().toString());
    JsonNode error = lines(folder.resolve("pages.jsonl.errors.jsonl")).getFirst();
    assertEquals("{\"argument\":0,\"page\":3}", error.get("position").toString());
    assertEquals("image_limit", error.get("code").textValue());
  }

  /** One in twenty is a damaged line, text, picture or PDF. */
  @Test
  void exactlyTheCorruptItemsAreInTheFileOfErrors() throws IOException {
    byte[] png = Files.readAllBytes(folder.resolve("invoice.png"));
    Files.write(folder.resolve("cut.png"), Arrays.copyOf(png, png.length / 2));
    Files.write(folder.resolve("cut.pdf"), Arrays.copyOf(Files.readAllBytes(folder.resolve("report.pdf")), 300));
    String[] good = {"\"text\":\"hello\"", "\"image\":\"%s/invoice.png\"", "\"text\":\"\"", "\"pdf\":\"%s/report.pdf\",\"pages\":\"1\""};
    String[] bad = {"\"text\":\"bad \\udc00\"", "\"image\":\"%s/cut.png\"", "\"pdf\":\"%s/cut.pdf\"", "\"text\":"};
    String[] codes = {"invalid_argument", "bad_image", "bad_pdf", "malformed_line"};
    StringBuilder corpus = new StringBuilder();
    List<String> expected = new ArrayList<>();
    for (int i = 0; i < 160; i++) {
      boolean isBad = i % 20 == 11;
      if (isBad) expected.add((i + 1) + " " + corpus.length() + " " + codes[i / 20 % 4]);
      corpus.append("{\"id\":").append(i).append(',').append((isBad ? bad[i / 20 % 4] : good[i % 4]).formatted(folder)).append("}\n");
    }
    Path in = Files.writeString(folder.resolve("mixed.jsonl"), corpus);
    Path out = folder.resolve("mixed-out.jsonl");
    assertEquals(1, run(job(in, out, "--max-pixels", "10000")).code());
    assertEquals(152, lines(out).size());
    assertEquals(expected, lines(folder.resolve("mixed-out.jsonl.errors.jsonl")).stream().map(error -> error.at("/position/line")
        + " " + error.at("/position/byte") + " " + error.get("code").textValue()).toList());
  }

  @Test
  void foldersAndGlobsGiveTheirFiles() throws IOException {
    Path scans = Files.createDirectories(folder.resolve("scans/deep"));
    Files.copy(folder.resolve("invoice.png"), scans.resolve("a.png"));
    Files.copy(folder.resolve("report.pdf"), scans.resolveSibling("b.pdf"));
    Files.writeString(scans.resolve("c.txt"), "a text");
    Path out = folder.resolve("scans.jsonl");
    CommandLineTest.Result result = run(job(scans.getParent(), out, "--max-pixels", "10000"));
    assertEquals(0, result.code(), result.err());
    assertTrue(result.err().contains("ignoring 1 of 3 files"), result.err());
    assertEquals(List.of(folder + "/scans/b.pdf 1", folder + "/scans/b.pdf 2", folder + "/scans/deep/a.png 0"),
        lines(out).stream().map(line -> line.get("id").textValue() + " " + line.path("page").intValue()).toList());
    assertEquals(0, run(job(scans.getParent(), out, "--max-pixels", "10000", "--whole-file", "--overwrite")).code());
    assertEquals(folder + "/scans/deep/c.txt", lines(out).getLast().get("id").textValue());
    assertEquals(0, run(job(folder.resolve("scans/**.png"), out, "--max-pixels", "10000", "--overwrite")).code());
    assertEquals(1, lines(out).size());
    assertUnusable("no file", job(folder.resolve("scans/*.tif"), out, "--overwrite"));
  }

  /** The same bits as from Java, from every output. */
  @Test
  void vectorsAreThoseOfTheLibrary() throws IOException {
    Path in = Files.writeString(folder.resolve("three.txt"), "one\ntwo words\n\nand three words");
    Path npy = folder.resolve("three.npy");
    Path json = folder.resolve("three.jsonl");
    assertEquals(0, run(job(in, npy)).code());
    assertEquals(0, run(job(in, json)).code());
    ByteBuffer matrix = ByteBuffer.wrap(Files.readAllBytes(npy)).order(ByteOrder.LITTLE_ENDIAN).position(128);
    assertTrue(new String(matrix.array(), 10, 118, StandardCharsets.US_ASCII).startsWith(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 256), }"));
    assertEquals("[{\"id\":1}, {\"id\":2}, {\"id\":4}]", lines(folder.resolve("three.ids.jsonl")).toString());
    try (EmbeddingModel open = EmbeddingModel.open(model)) {
      int row = 0;
      for (String text : List.of("one", "two words", "and three words")) {
        float[] expected = open.embed(EmbeddingRequest.text(text)).dense().toArray();
        float[] found = new float[256];
        matrix.asFloatBuffer().get(256 * row, found);
        assertArrayEquals(expected, found);
        assertVector(expected, lines(json).get(row++).get("embedding"));
      }
    }
  }

  @Test
  void smallerFormsOfVectors() throws IOException {
    Path in = Files.writeString(folder.resolve("one.txt"), "one");
    float[] exact = numbers(in, "float32");
    float[] half = numbers(in, "float16");
    float[] bytes = numbers(in, "int8");
    float[] bits = numbers(in, "binary");
    float scale = lines(folder.resolve("one.int8.jsonl")).getFirst().get("scale").floatValue();
    assertEquals(32, bits.length);
    for (int i = 0; i < exact.length; i++) {
      assertEquals(Float.float16ToFloat(Float.floatToFloat16(exact[i])), half[i]);
      assertEquals(exact[i], scale * bytes[i], 0.501 * scale);
      assertEquals(exact[i] > 0, ((int) bits[i / 8] >> (7 - i % 8) & 1) == 1);
    }
  }

  private static float[] numbers(Path in, String type) {
    Path out = folder.resolve("one." + type + ".jsonl");
    assertEquals(0, run(job(in, out, "--embedding-type", type)).code());
    JsonNode vector = lines(out).getFirst().get("embedding");
    float[] numbers = new float[vector.size()];
    for (int i = 0; i < numbers.length; i++) numbers[i] = vector.get(i).floatValue();
    return numbers;
  }

  private static String[] arguments(Path out, String... more) {
    List<String> all = new ArrayList<>(List.of("embed", "-m", model.toString(), "--output", out.toString()));
    all.addAll(Arrays.asList(more));
    return all.toArray(String[]::new);
  }

  private static String[] job(Path in, Path out, String... more) {
    List<String> all = new ArrayList<>(List.of("--input", in.toString()));
    all.addAll(Arrays.asList(more));
    return arguments(out, all.toArray(String[]::new));
  }
}
