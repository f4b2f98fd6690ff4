package io.embed4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
    assertEquals("a", items.get(0).text());
    assertNull(items.get(0).task());
    assertEquals("{\"k\":[1.50,null]}", items.get(1).id().toString());
    assertEquals("ü", items.get(1).text());
    assertEquals("code", items.get(1).task());
    assertEquals("passage", items.get(1).prompt());
  }

  @Test
  void aMalformedLineIsNamedAndTheRestGoesOn() throws IOException {
    String[] wrong = {"{\"id\": 1, \"text\"", "nonsense", "[]", "\"text\"", "{} {}", "{\"id\": 5}", "{\"id\":6,\"text\":7}",
        "{\"id\":7,\"text\":\"a\",\"text\":\"b\"}", "[".repeat(5000), "{\"id\":9,\"text\":\"a\",\"task\":null}",
        "{\"id\":1e999999999999,\"text\":\"a\"}", "{\"id\":" + "1".repeat(2000) + ",\"text\":\"a\"}", "{\"text\":\"\tb\"}"};
    for (String line : wrong) {
      List<Item> items = read("{\"text\":\"before\"}\n" + line + "\n{\"text\":\"after\"}");
      assertEquals(3, items.size(), line);
      assertEquals("malformed_line", items.get(1).error().code(), line);
      assertTrue(items.get(1).error().getMessage().startsWith("line 2: "), items.get(1).error().getMessage());
      assertEquals("after", items.get(2).text());
    }
    assertEquals("5", read("{\"id\": 5}").getFirst().id().toString(), "the id is given back when it can be read");
    byte[] latin1 = "{\"text\":\"\u00fc\"}\n{\"text\":\"b\"}".getBytes(StandardCharsets.ISO_8859_1);
    List<Item> items = read(new JsonLinesReader(new ByteArrayInputStream(latin1), warnings::add));
    assertNotNull(items.get(0).error());
    assertEquals("b", items.get(1).text());
  }

  @Test
  void contentOfOtherKindsIsRefusedAndOtherFieldsAreNamedOnce() throws IOException {
    List<Item> items = read("{\"id\":1,\"image\":\"a.png\"}\n{\"text\":\"a\",\"url\":1}\n{\"text\":\"b\",\"url\":2,\"title\":3}");
    assertEquals("unsupported", items.get(0).error().code());
    assertEquals(List.of("line 2: ignoring the fields url", "line 3: ignoring the fields title"), warnings);
  }

  @Test
  void aLineAboveTheLimitIsSkipped() throws IOException {
    String line = "{\"text\":\"" + "x".repeat(200_000) + "\"}\n{\"text\":\"after\"}";
    InputStream in = new ByteArrayInputStream(line.getBytes(StandardCharsets.UTF_8));
    List<Item> items = read(new JsonLinesReader(in, warnings::add, 100_000));
    assertEquals(2, items.size());
    assertTrue(items.get(0).error().getMessage().contains("100000"), items.get(0).error().getMessage());
    assertEquals("after", items.get(1).text());
    assertEquals(200_000, read(line).getFirst().text().length(), "below it, a long line is a text");
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
      assertTrue((item.text() == null) != (item.error() == null));
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
}
