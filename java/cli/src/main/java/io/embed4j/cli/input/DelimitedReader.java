package io.embed4j.cli.input;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.embed4j.cli.base.Json;
import io.embed4j.cli.base.UnusableException;
import io.embed4j.cli.input.Lines.Line;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;

/**
 * Comma- or tab-separated values in UTF-8 (RFC 4180), with a header. A field in quotes may hold line ends; a quote in it is
 * doubled. An empty field is no value, but in a table of texts only it is the empty text.
 *
 * <p>Why not a CSV library: those at hand end, or swallow the rest of the file, at a quote that is not closed. Here only
 * the line it stands in is lost: reading goes on with the line behind it, and each row has its line and its byte.
 */
final class DelimitedReader extends StreamItems {
  private static final int MAX_RECORD_BYTES = Json.MAX_LINE_BYTES;

  private final char delimiter;
  private final Deque<Line> again = new ArrayDeque<>();
  private final List<String> header;
  private final Map<String, Integer> places = new HashMap<>();
  private final Table table;
  private final boolean textsOnly;

  /** A line that is no record, or the first of lines that are none. */
  private static final class Malformed extends Exception {
    private static final long serialVersionUID = 1L;

    Malformed(String message) {
      super(message);
    }
  }

  DelimitedReader(Stream stream, String name, char delimiter, Columns columns) throws IOException {
    super(stream, MAX_RECORD_BYTES);
    this.delimiter = delimiter;
    this.header = header(name);
    for (int i = 0; i < header.size(); i++) places.put(header.get(i), i);
    this.table = new Table(name, header, columns);
    this.textsOnly = header.contains(columns.text()) && !header.contains(columns.image()) && !header.contains(columns.pdf());
  }

  private List<String> header(String name) throws IOException {
    Line line = line();
    if (line == null) throw new UnusableException(name + " is empty, expected a line with the names of the columns", null);
    try {
      List<String> names = record(line, new ArrayList<>());
      if (new HashSet<>(names).size() < names.size()) throw new Malformed("a name occurs twice in " + names);
      return names;
    } catch (Malformed e) {
      throw new UnusableException(name + ": the first line does not name the columns: " + e.getMessage(), e);
    }
  }

  @Override
  public Item next() throws IOException {
    Line first = line();
    if (first == null) return null;
    List<Line> more = new ArrayList<>();
    try {
      List<String> fields = record(first, more);
      if (fields.size() != header.size()) {
        throw new Malformed("it has " + fields.size() + " fields, expected " + header.size() + ": " + header);
      }
      Place place = more.isEmpty() ? first.place() : first.placeTo(more.getLast());
      return table.item(new Row(fields), first.number(), place);
    } catch (Malformed e) {
      for (int i = more.size() - 1; i >= 0; i--) again.addFirst(more.get(i));
      return Item.error(NullNode.instance, MALFORMED_LINE, "line " + first.number() + ": " + e.getMessage(), first.place());
    }
  }

  /** The next line that is not blank, or null. */
  private Line line() throws IOException {
    while (true) {
      Line line = again.isEmpty() ? lines.next() : again.poll();
      if (line == null || !line.isBlank() || (delimiter == '\t' && isTabs(line))) return line;
    }
  }

  private static boolean isTabs(Line line) {
    for (byte b : line.bytes()) {
      if (b == '\t') return true;
    }
    return false;
  }

  /** The fields of a record that begins with a line, and the further lines that it takes. */
  private List<String> record(Line first, List<Line> more) throws IOException, Malformed {
    List<String> fields = new ArrayList<>();
    ByteArrayOutputStream field = new ByteArrayOutputStream();
    byte[] bytes = bytes(first);
    int at = 0;
    while (true) {
      field.reset();
      boolean quoted = at < bytes.length && bytes[at] == '"';
      if (quoted) {
        at++;
        while (true) { // up to the quote that ends it
          if (at == bytes.length) {
            Line line = again.isEmpty() ? lines.next() : again.poll();
            if (line == null) throw new Malformed("a quote is not closed up to the end of the input");
            more.add(line);
            field.write('\n');
            bytes = bytes(line);
            at = 0;
            if (field.size() > MAX_RECORD_BYTES) throw new Malformed("a quote is not closed in " + field.size() + " bytes");
          } else if (bytes[at] != '"') {
            field.write(bytes[at++]);
          } else if (at + 1 < bytes.length && bytes[at + 1] == '"') {
            field.write('"');
            at += 2;
          } else {
            at++;
            break;
          }
        }
        if (at < bytes.length && bytes[at] != delimiter) {
          throw new Malformed("field " + (fields.size() + 1) + " goes on behind its closing quote");
        }
      } else {
        int begin = at;
        while (at < bytes.length && bytes[at] != delimiter) at++;
        field.write(bytes, begin, at - begin);
      }
      try {
        fields.add(Utf8.decode(field.toByteArray()));
      } catch (CharacterCodingException e) {
        throw new Malformed("field " + (fields.size() + 1) + " is not UTF-8");
      }
      if (at == bytes.length) return fields;
      at++;
    }
  }

  /** Without the carriage return of its end. */
  private static byte[] bytes(Line line) throws Malformed {
    byte[] bytes = line.bytes();
    if (bytes == null) throw new Malformed("it is longer than " + MAX_RECORD_BYTES + " bytes");
    return bytes.length > 0 && bytes[bytes.length - 1] == '\r' ? Arrays.copyOf(bytes, bytes.length - 1) : bytes;
  }

  /** Asked by the names of the header. */
  private final class Row implements Table.Row {
    private final List<String> fields;

    Row(List<String> fields) {
      this.fields = fields;
    }

    @Override
    public JsonNode value(String column) {
      String field = fields.get(places.get(column));
      return field.isEmpty() && !textsOnly ? null : TextNode.valueOf(field);
    }

    @Override
    public String text(String column) {
      String field = fields.get(places.get(column));
      return field.isEmpty() && !textsOnly ? null : field;
    }

    @Override
    public Source source(String column) {
      return new Source(fields.get(places.get(column)));
    }
  }

  @Override
  public boolean ready() throws IOException {
    return !again.isEmpty() || lines.ready();
  }

  @Override
  public Column.Type idType() {
    return table.hasId() ? Column.Type.TEXT : Column.Type.LONG;
  }

  @Override
  public List<Column> carried() {
    return table.carried().stream().map(name -> new Column(name, Column.Type.TEXT)).toList();
  }
}
