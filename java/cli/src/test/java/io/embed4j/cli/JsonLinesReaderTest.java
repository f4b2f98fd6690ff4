package io.embed4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class JsonLinesReaderTest {
  private final List<String> warnings = new ArrayList<>();

  @Test
  void readsTextsWithTheirOwnSettings() throws IOException {
    List<Item> items = read("\uFEFF{\"id\": 1, \"text\": \"a\"}\r\n\n  \n"
        + "{\"text\":\"\\u00fc\",\"id\":{\"k\":[1.50,null]},\"task\":\"code\",\"prompt\":\"passage\"}");
    assertEquals(2, items.size());
    assertEquals("1", items.get(0).id().toString());
    assertEquals("a", text(items.get(0)));
    assertNull(items.get(0).task());
    assertEquals("{\"k\":[1.50,null]}", items.get(1).id().toString());
    assertEquals("ü", text(items.get(1)));
    assertEquals("code", items.get(1).task());
    assertEquals("passage", items.get(1).prompt());
  }

  @Test
  void readsPicturesAndPdfs() throws IOException {
    List<Item> items = read("{\"id\":1,\"image\":\"a b.png\",\"task\":\"code\"}\n{\"pdf\":\"a.pdf\"}\n"
        + "{\"pdf\":\"data:,\",\"pages\":\"1-3,7\"}");
    assertEquals("a", text(read("{\"text\":\"a\",\"image\":null}").getFirst()), "null is nothing");
    assertEquals(new Item.Content.Picture(new Source("a b.png")), items.get(0).content());
    assertEquals("code", items.get(0).task());
    assertEquals(new Item.Content.Pdf(new Source("a.pdf"), null), items.get(1).content());
    assertEquals(new Item.Content.Pdf(new Source("data:,"), "1-3,7"), items.get(2).content());
  }

  @Test
  void picturesFillAChunkSoonerThanTexts() throws IOException {
    String lines = "{\"image\":\"a.png\"}\n".repeat(100);
    InputStream in = new ByteArrayInputStream(lines.getBytes(StandardCharsets.UTF_8));
    JsonLinesReader reader = new JsonLinesReader(in, warnings::add);
    assertEquals(16, reader.chunk().size());
  }

  @Test
  void aMalformedLineIsNamedAndTheRestGoesOn() throws IOException {
    String[] wrong = {"{\"id\": 1, \"text\"", "nonsense", "[]", "\"text\"", "{} {}", "{\"id\": 5}", "{\"id\":6,\"text\":7}",
        "{\"id\":7,\"text\":\"a\",\"text\":\"b\"}", "[".repeat(5000), "{\"id\":9,\"text\":\"a\",\"task\":null}",
        "{\"id\":1e999999999999,\"text\":\"a\"}", "{\"id\":" + "1".repeat(2000) + ",\"text\":\"a\"}", "{\"text\":\"\tb\"}"};
    for (String line : wrong) {
      List<Item> items = read("{\"text\":\"before\"}\n" + line + "\n{\"text\":\"after\"}");
      assertEquals(3, items.size(), line);
      assertEquals("malformed_line", error(items.get(1)).code(), line);
      assertTrue(error(items.get(1)).getMessage().startsWith("line 2: "), error(items.get(1)).getMessage());
      assertEquals("after", text(items.get(2)));
    }
    assertEquals("5", read("{\"id\": 5}").getFirst().id().toString(), "the id is given back when it can be read");
    byte[] latin1 = "{\"text\":\"\u00fc\"}\n{\"text\":\"b\"}".getBytes(StandardCharsets.ISO_8859_1);
    List<Item> items = read(new JsonLinesReader(new ByteArrayInputStream(latin1), warnings::add));
    assertNotNull(error(items.get(0)));
    assertEquals("b", text(items.get(1)));
  }

  @Test
  void twoContentsAreRefusedAndOtherFieldsAreNamedOnce() throws IOException {
    List<Item> items = read("{\"id\":1,\"image\":\"a.png\",\"text\":\"a\"}\n{\"text\":\"a\",\"url\":1}\n"
        + "{\"text\":\"b\",\"url\":2,\"pages\":3}\n{\"id\":4,\"pdf\":\"a.pdf\",\"pages\":3}");
    assertTrue(error(items.get(0)).getMessage().contains("text and image"), error(items.get(0)).getMessage());
    assertTrue(error(items.get(3)).getMessage().contains("\"pages\" is number"), error(items.get(3)).getMessage());
    assertEquals(List.of("line 2: ignoring the fields url", "line 3: ignoring the fields pages"), warnings);
  }

  @Test
  void aLineAboveTheLimitIsSkipped() throws IOException {
    String line = "{\"text\":\"" + "x".repeat(200_000) + "\"}\n{\"text\":\"after\"}";
    InputStream in = new ByteArrayInputStream(line.getBytes(StandardCharsets.UTF_8));
    List<Item> items = read(new JsonLinesReader(in, warnings::add, 100_000));
    assertEquals(2, items.size());
    assertTrue(error(items.get(0)).getMessage().contains("100000"), error(items.get(0)).getMessage());
    assertEquals("after", text(items.get(1)));
    assertEquals(200_000, text(read(line).getFirst()).length(), "below it, a long line is a text");
  }

  @Test
  void aPipeThatPausesIsAnsweredAtOnce() throws IOException {
    try (PipedOutputStream out = new PipedOutputStream(); PipedInputStream in = new PipedInputStream(out)) {
      out.write("{\"text\":\"a\"}\n{\"text\":\"b\"}\n".getBytes(StandardCharsets.UTF_8));
      JsonLinesReader reader = new JsonLinesReader(in, warnings::add);
      assertEquals(2, reader.chunk().size());
      assertFalse(reader.ready());
    }
  }

  @Property(tries = 300)
  void anyBytesGiveItemsAndEnd(@ForAll byte[] bytes) throws IOException {
    for (Item item : read(new JsonLinesReader(new ByteArrayInputStream(bytes), warnings::add))) {
      assertNotNull(item.content());
    }
  }

  private List<Item> read(String lines) throws IOException {
    return read(new JsonLinesReader(new ByteArrayInputStream(lines.getBytes(StandardCharsets.UTF_8)), warnings::add));
  }

  private static List<Item> read(JsonLinesReader reader) throws IOException {
    List<Item> items = new ArrayList<>();
    for (List<Item> chunk = reader.chunk(); !chunk.isEmpty(); chunk = reader.chunk()) items.addAll(chunk);
    return items;
  }

  private static String text(Item item) {
    return assertInstanceOf(Item.Content.Text.class, item.content()).text();
  }

  private static EmbeddingException error(Item item) {
    return assertInstanceOf(Item.Content.Failed.class, item.content()).error();
  }
}
