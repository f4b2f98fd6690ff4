package io.embed4j.cli.input;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.cli.base.UnusableException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Rows of tables as items: delimited values, Parquet. */
class TablesTest {
  private static final Columns ALL = new Columns("id", "text", "image", "pdf", List.of(Columns.ALL));

  @TempDir
  Path folder;

  @Test
  void quotedFieldsHoldDelimitersQuotesAndLineEnds() throws IOException {
    List<Item> items = read("id,text,\"a,b\"\r\n1,\"x, \"\"y\"\"\nz\",\r\n2,\u00fc,\"\"\n");
    assertEquals("x, \"y\"\nz", text(items.get(0)));
    assertEquals("\u00fc", text(items.get(1)));
    assertEquals("\"2\"", items.get(1).id().toString());
    assertEquals("{\"line\":2,\"byte\":15}", items.get(0).place().json(0).toString());
    assertEquals(4, items.get(1).place().number());
    assertEquals("[\"\"]", read("text,note\na,\"\"\n").getFirst().carried().subList(1, 2).toString());
  }

  @Test
  void aBadRowIsNamedAndTheNextLineIsTheNextRow() throws IOException {
    for (String bad : new String[] {"1", "1,2,3", "\"1\"x,2", "1,\"open", "1,\"open\n2,\"x\"", "1,\"a\"\"", "\"", "1,\"b\nc\nd"}) {
      List<Item> items = read("id,text\n0,before\n" + bad + "\n9,after\n8,\"\"\"last\"\"\"\n");
      assertTrue(items.get(1).content() instanceof Item.Content.Failed(var error) && error.code().equals("malformed_line")
          && error.getMessage().startsWith("line 3: "), bad + " gives " + items.get(1).content());
      assertEquals("before", text(items.getFirst()));
      assertEquals("after", text(items.get(items.size() - 2)), bad);
      assertEquals("\"last\"", text(items.getLast()), bad);
    }
    byte[] latin1 = "text\n\u00fc\nb\n".getBytes(StandardCharsets.ISO_8859_1);
    List<Item> items = read(latin1, ',', Columns.DEFAULT);
    assertTrue(items.get(0).content().toString().contains("not UTF-8"));
    assertEquals("b", text(items.get(1)));
    assertEquals("1", read("text\tid\n\t1\n".getBytes(StandardCharsets.UTF_8), '\t', Columns.DEFAULT).getFirst().id().textValue());
  }

  @Test
  void placesLeadBack() throws IOException {
    byte[] bytes = "\uFEFFid,text\n1,\"a\nb\"\n2,\"open\n3,c\n4,\"d\"\n".getBytes(StandardCharsets.UTF_8);
    List<Item> items = read(bytes, ',', Columns.DEFAULT);
    assertEquals(4, items.size());
    for (int i = 0; i < items.size(); i++) {
      DelimitedReader rest = reader(bytes, ',', Columns.DEFAULT);
      rest.resume(items.get(i).place().after());
      assertEquals(items.subList(i + 1, items.size()).toString(), read(rest).toString());
    }
  }

  @Test
  void oneOfSeveralContentsIsFilled() throws IOException {
    List<Item> items = read("id,text,image\n1,a,\n2,,b.png\n3,a,b.png\n4,,\n");
    assertEquals("a", text(items.get(0)));
    assertEquals(new Item.Content.Picture(new Source("b.png")), items.get(1).content());
    assertTrue(items.get(2).content().toString().contains("values in text and image"));
    assertTrue(items.get(3).content().toString().contains("no value in text and image"));
    assertThrows(UnusableException.class, () -> read("id,title\n"));
    assertThrows(UnusableException.class, () -> read("text,text\n"));
    assertThrows(UnusableException.class, () -> read(""));
  }

  @Property(tries = 300)
  void anyBytesGiveItemsAndEnd(@ForAll byte[] bytes) throws IOException {
    byte[] table = new byte[bytes.length + 8];
    System.arraycopy("text,id\n".getBytes(StandardCharsets.US_ASCII), 0, table, 0, 8);
    for (int i = 0; i < bytes.length; i++) table[8 + i] = (byte) "\",\na\r\u00fc".charAt(Math.floorMod(bytes[i], 6));
    for (Item item : read(table, ',', Columns.DEFAULT)) assertTrue(item.place().number() > 1);
  }

  @Test
  void readsParquetAsOthersWriteIt() throws IOException {
    for (String name : List.of("snappy.parquet", "zstd.parquet")) {
      try (ParquetReader reader = parquet(resource(name), ALL)) {
        assertEquals(3, reader.size());
        assertEquals(Column.Type.LONG, reader.idType());
        assertEquals("[text:TEXT, image:BYTES, day:TEXT, flag:BOOLEAN, score:DOUBLE, kind:TEXT]",
            reader.carried().stream().map(column -> column.name() + ":" + column.type()).toList().toString());
        List<Item> items = read(reader);
        assertEquals("7", items.get(0).id().toString());
        assertEquals("[\"a\",null,\"2026-01-02\",true,0.5,\"x\"]", items.get(0).carried().toString().replace(" ", ""));
        assertEquals("\u00fc \ud83d\ude00", text(items.get(1)));
        assertTrue(items.get(1).id().isNull());
        assertEquals("no picture", new String(((Item.Content.Picture) items.get(2).content()).source().bytes(),
            StandardCharsets.UTF_8));
        assertEquals("{\"row\":3}", items.get(2).place().json(0).toString());
        reader.resume(items.get(1).place().after());
        assertEquals(3, reader.next().place().number());
      }
    }
    UnusableException nested = assertThrows(UnusableException.class,
        () -> parquet(resource("nested.parquet"), ALL));
    assertTrue(nested.getMessage().contains("tags is nested"), nested.getMessage());
  }

  @Test
  void aDamagedParquetFileIsAnError() throws IOException {
    byte[] whole = Files.readAllBytes(resource("snappy.parquet"));
    int refused = 0;
    for (int i = 0; i < whole.length; i += 7) {
      byte[] damaged = whole.clone();
      damaged[i] ^= (byte) 0xFF;
      Path file = Files.write(folder.resolve("damaged.parquet"), damaged);
      try (ParquetReader reader = parquet(file, Columns.DEFAULT)) {
        read(reader);
      } catch (UnusableException e) {
        refused++;
      }
    }
    assertTrue(refused > 20, refused + " refused");
    for (int length : new int[] {0, 3, 8, 100, whole.length - 1}) {
      Path file = Files.write(folder.resolve("cut.parquet"), Arrays.copyOf(whole, length));
      assertThrows(UnusableException.class, () -> parquet(file, Columns.DEFAULT));
    }
  }

  /** groups.parquet has 3 groups of 200 rows; the pages of the second group's texts begin at byte 3,617 and end at 5,168. */
  @Test
  void theRestOfADamagedRowGroupIsLostAndTheNextOneIsRead() throws IOException {
    byte[] whole = Files.readAllBytes(resource("groups.parquet"));
    List<Item> expected = read(parquet(resource("groups.parquet"), Columns.DEFAULT));
    assertEquals(600, expected.size());
    assertEquals("row 600 of 600", text(expected.get(599)));
    int someRead = 0;
    for (int at = 3617; at < 5168; at += 97) {
      byte[] damaged = whole.clone();
      damaged[at] ^= 0x55;
      Path file = Files.write(folder.resolve("damaged-" + at + ".parquet"), damaged);
      List<String> warnings = new ArrayList<>();
      List<Item> items = read(new ParquetReader(Stream.open(file), Columns.DEFAULT, warnings::add));
      int lost = 0;
      while (items.get(200 + lost).equals(expected.get(200 + lost))) lost++;
      if (lost > 0) someRead++;
      for (int row = 201 + lost; row <= 400; row++) {
        assertTrue(items.get(row - 1).content() instanceof Item.Content.Failed(var error)
            && error.code().equals("unreadable_row") && error.getMessage().equals("row " + row
                + ": the file is damaged in row group 2, rows 201 to 400, which cannot be read to its end"),
            at + ": " + items.get(row - 1));
        assertEquals("{\"row\":" + row + "}", items.get(row - 1).place().json(0).toString());
      }
      assertEquals(expected.subList(0, 200), items.subList(0, 200));
      assertEquals(expected.subList(400, 600), items.subList(400, 600));
      assertEquals(1, warnings.size());
      assertTrue(warnings.getFirst().contains("rows " + (201 + lost) + " to 400, the rest of row group 2, cannot be read: "),
          warnings.toString());
      for (int done : new int[] {1, 200, 201 + lost, 399, 400, 600}) { // the same wherever reading begins
        try (ParquetReader rest = parquet(file, Columns.DEFAULT)) {
          rest.resume(Cursor.after(done));
          assertEquals(items.subList(done, 600).toString(), read(rest).toString(), at + " behind " + done);
        }
      }
    }
    assertTrue(someRead > 5, "rows before the damage were read in " + someRead + " files");
  }

  private static ParquetReader parquet(Path file, Columns columns) throws IOException {
    return new ParquetReader(Stream.open(file), columns, warning -> { });
  }

  private Path resource(String name) throws IOException {
    Path file = folder.resolve(name);
    try (InputStream in = getClass().getResourceAsStream(name)) {
      if (!Files.exists(file)) Files.copy(in, file);
    }
    return file;
  }

  private static List<Item> read(String csv) throws IOException {
    return read(csv.getBytes(StandardCharsets.UTF_8), ',', ALL);
  }

  private static List<Item> read(byte[] bytes, char delimiter, Columns columns) throws IOException {
    return read(reader(bytes, delimiter, columns));
  }

  private static DelimitedReader reader(byte[] bytes, char delimiter, Columns columns) throws IOException {
    return new DelimitedReader(new Stream(new ByteArrayInputStream(bytes), null, -1), "input", delimiter, columns);
  }

  private static List<Item> read(Items reader) throws IOException {
    List<Item> items = new ArrayList<>();
    for (Item item = reader.next(); item != null; item = reader.next()) items.add(item);
    return items;
  }

  private static String text(Item item) {
    return item.content() instanceof Item.Content.Text(String text) ? text : item.content().toString();
  }
}
