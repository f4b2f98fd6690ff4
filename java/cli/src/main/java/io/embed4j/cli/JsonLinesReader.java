package io.embed4j.cli;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.NullNode;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * JSON lines {@code {"id": any, "text": "...", "task": "...", "prompt": "..."}}, one text each; or, in place of the text, a
 * picture {@code "image": "path or data: URI"} or pages {@code "pdf": "path or data: URI", "pages": "1-3,7"}. A line that
 * cannot be read is an item with an error that names the line; the rest goes on. Empty lines are skipped. Other fields are
 * ignored, which is said once.
 */
final class JsonLinesReader implements Items {
  private static final String MALFORMED = "malformed_line";
  private static final List<String> CONTENT = List.of("text", "image", "pdf");
  private static final byte[] BYTE_ORDER_MARK = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};

  private final InputStream in;
  private final Consumer<String> warnings;
  private final Set<String> ignored = new TreeSet<>();
  private final int maxLineBytes;
  private byte[] buffer = new byte[1 << 16];
  private int begin;
  private int end;
  private boolean ended;
  private long lineNumber;

  JsonLinesReader(InputStream in, Consumer<String> warnings) {
    this(in, warnings, Json.MAX_LINE_BYTES);
  }

  JsonLinesReader(InputStream in, Consumer<String> warnings, int maxLineBytes) {
    this.in = in;
    this.warnings = warnings;
    this.maxLineBytes = maxLineBytes;
  }

  @Override
  public Item next() throws IOException {
    while (true) {
      int newline = newline();
      if (newline < 0) return null;
      lineNumber++;
      int from = begin;
      begin = Math.min(newline + 1, end);
      if (newline - from > maxLineBytes) {
        skipLine();
        return malformed(NullNode.instance, "it is longer than " + maxLineBytes + " bytes");
      }
      if (lineNumber == 1 && startsWithMark(from, newline)) from += BYTE_ORDER_MARK.length;
      if (!isBlank(from, newline)) return parse(from, newline - from);
    }
  }

  @Override
  public boolean ready() throws IOException {
    for (int i = begin; i < end; i++) {
      if (buffer[i] == '\n') return true;
    }
    return ended || in.available() > 0;
  }

  @Override
  public void close() throws IOException {
    if (in != System.in) in.close();
  }

  /** The index of the newline that ends the line at begin, or of its end at the end of input; -1 when nothing is left. */
  private int newline() throws IOException {
    int at = begin;
    while (true) {
      while (at < end && buffer[at] != '\n') at++;
      if (at < end || at - begin > maxLineBytes) return at;
      if (ended) return begin < end ? end : -1;
      int seen = at - begin;
      fill();
      at = begin + seen;
    }
  }

  private void fill() throws IOException {
    if (begin > 0) {
      System.arraycopy(buffer, begin, buffer, 0, end - begin);
      end -= begin;
      begin = 0;
    }
    if (end == buffer.length) buffer = Arrays.copyOf(buffer, (int) Math.min(2L * buffer.length, maxLineBytes + 65_536L));
    int read = in.read(buffer, end, buffer.length - end);
    if (read < 0) ended = true;
    else end += read;
  }

  private void skipLine() throws IOException {
    while (true) {
      while (begin < end) {
        if (buffer[begin++] == '\n') return;
      }
      if (ended) return;
      fill();
    }
  }

  private Item parse(int from, int length) {
    JsonNode line;
    try {
      line = Json.MAPPER.readTree(buffer, from, length);
    } catch (JacksonException e) {
      return malformed(NullNode.instance, e.getOriginalMessage() + column(e));
    } catch (IOException | NumberFormatException e) { // the latter for an exponent that no BigDecimal has
      return malformed(NullNode.instance, e.getMessage());
    }
    if (!line.isObject()) return malformed(NullNode.instance, "expected an object {\"id\": ..., \"text\": \"...\"}");
    JsonNode id = line.has("id") ? line.get("id") : NullNode.instance;
    List<String> contents = CONTENT.stream().filter(line::hasNonNull).toList();
    if (contents.size() != 1) {
      return malformed(id, (contents.isEmpty() ? "it has none" : "it has " + String.join(" and ", contents))
          + ", expected one of \"text\", \"image\" and \"pdf\"");
    }
    String kind = contents.getFirst();
    List<String> fields = kind.equals("pdf") ? List.of(kind, "pages", "task", "prompt") : List.of(kind, "task", "prompt");
    for (String field : fields) {
      JsonNode value = line.get(field);
      if (value != null && !value.isTextual()) {
        return malformed(id, "\"" + field + "\" is " + value.getNodeType().name().toLowerCase(Locale.ROOT)
            + ", expected a string");
      }
    }
    warnIgnored(line, fields);
    String value = line.get(kind).textValue();
    Item.Content content = switch (kind) {
      case "text" -> new Item.Content.Text(value);
      case "image" -> new Item.Content.Picture(new Source(value));
      default -> new Item.Content.Pdf(new Source(value), line.path("pages").textValue());
    };
    return new Item(id, content, line.path("task").textValue(), line.path("prompt").textValue());
  }

  private void warnIgnored(JsonNode line, List<String> known) {
    Set<String> others = new TreeSet<>();
    line.fieldNames().forEachRemaining(name -> {
      if (!name.equals("id") && !known.contains(name) && ignored.size() < 100 && ignored.add(name)) others.add(name);
    });
    if (!others.isEmpty()) warnings.accept("line " + lineNumber + ": ignoring the fields " + String.join(", ", others));
  }

  private static String column(JacksonException e) {
    return e.getLocation() == null ? "" : " (column " + e.getLocation().getColumnNr() + ")";
  }

  private Item malformed(JsonNode id, String reason) {
    return Item.error(id, MALFORMED, "line " + lineNumber + ": " + reason);
  }

  private boolean startsWithMark(int from, int to) {
    return to - from >= 3 && Arrays.equals(buffer, from, from + 3, BYTE_ORDER_MARK, 0, 3);
  }

  private boolean isBlank(int from, int to) {
    for (int i = from; i < to; i++) {
      if (buffer[i] != ' ' && buffer[i] != '\t' && buffer[i] != '\r') return false;
    }
    return true;
  }
}
