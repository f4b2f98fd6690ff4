package io.embed4j.cli.input;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
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
    List<Item> items = read(reader(latin1));
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
    List<Item> items = read(new JsonLinesReader(new Stream(in, null, -1), Columns.DEFAULT, warnings::add, 100_000));
    assertEquals(2, items.size());
    assertTrue(error(items.get(0)).getMessage().contains("100000"), error(items.get(0)).getMessage());
    assertEquals("after", text(items.get(1)));
    assertEquals(200_000, text(read(line).getFirst()).length(), "below it, a long line is a text");
  }

  @Test
  void aPipeThatPausesIsAnsweredAtOnce() throws IOException {
    try (PipedOutputStream out = new PipedOutputStream(); PipedInputStream in = new PipedInputStream(out)) {
      out.write("{\"text\":\"a\"}\n{\"text\":\"b\"}\n".getBytes(StandardCharsets.UTF_8));
      JsonLinesReader reader = new JsonLinesReader(new Stream(in, null, -1), Columns.DEFAULT, warnings::add);
      for (String text : List.of("a", "b")) {
        assertTrue(reader.ready());
        assertEquals(text, text(reader.next()));
      }
      assertFalse(reader.ready());
    }
  }

  @Test
  void placesCountLinesAndBytesAndLeadBack() throws IOException {
    String lines = "\uFEFF{\"text\":\"a\"}\r\n\n{\"text\":\"\u00fc\"}\nnonsense\n" + "{\"text\":\"" + "x".repeat(70_000)
        + "\"}\n{\"text\":\"last\"}";
    byte[] bytes = lines.getBytes(StandardCharsets.UTF_8);
    List<Item> items = read(lines);
    assertEquals(List.of(1L, 3L, 4L, 5L, 6L), items.stream().map(item -> item.place().number()).toList());
    for (int i = 0; i < items.size(); i++) {
      Place place = items.get(i).place();
      int end = (int) place.after().bytes();
      assertEquals(i + 1 < items.size() ? '\n' : '}', (char) bytes[end - 1]);
      JsonLinesReader rest = reader(bytes);
      rest.resume(place.after());
      assertTrue(items.subList(i + 1, items.size()).toString().equals(read(rest).toString()), "after item " + i);
      bytes[end / 2] ^= 1;
      assertThrows(IOException.class, () -> reader(bytes).resume(place.after()), "other bytes");
      assertThrows(IOException.class, () -> reader(Arrays.copyOf(bytes, end - 1)).resume(place.after()), "too few bytes");
      bytes[end / 2] ^= 1;
    }
    assertEquals("{\"line\":4,\"byte\":32}", items.get(2).place().json(0).toString());
  }

  @Property(tries = 300)
  void anyBytesGiveItemsAndEnd(@ForAll byte[] bytes) throws IOException {
    for (Item item : read(reader(bytes))) {
      assertNotNull(item.content());
    }
  }

  private List<Item> read(String lines) throws IOException {
    return read(reader(lines.getBytes(StandardCharsets.UTF_8)));
  }

  private JsonLinesReader reader(byte[] bytes) {
    return new JsonLinesReader(new Stream(new ByteArrayInputStream(bytes), null, -1), Columns.DEFAULT, warnings::add);
  }

  private static List<Item> read(JsonLinesReader reader) throws IOException {
    List<Item> items = new ArrayList<>();
    for (Item item = reader.next(); item != null; item = reader.next()) items.add(item);
    return items;
  }

  private static String text(Item item) {
    return assertInstanceOf(Item.Content.Text.class, item.content()).text();
  }

  private static EmbeddingException error(Item item) {
    return assertInstanceOf(Item.Content.Failed.class, item.content()).error();
  }
}
