package io.embed4j.cli.input;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.cli.base.Json;
import io.embed4j.cli.input.Lines.Line;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * JSON lines {@code {"id": any, "text": "...", "task": "...", "prompt": "..."}}, one text each; or, in place of the text, a
 * picture {@code "image": "path or data: URI"} or pages {@code "pdf": "path or data: URI", "pages": "1-3,7"}. A line that
 * cannot be read is an item with an error that names the line; the rest goes on. Empty lines are skipped. Other fields are
 * carried when asked for, else ignored, which is said once.
 */
final class JsonLinesReader extends LineItems {
  private final Consumer<String> warnings;
  private final Columns columns;
  private final List<Column> carried;
  private final Set<String> ignored = new TreeSet<>();

  JsonLinesReader(Stream stream, Columns columns, Consumer<String> warnings) {
    this(stream, columns, warnings, Json.MAX_LINE_BYTES);
  }

  JsonLinesReader(Stream stream, Columns columns, Consumer<String> warnings, int maxLineBytes) {
    super(stream, maxLineBytes);
    this.columns = columns;
    this.warnings = warnings;
    if (columns.carriesAll()) {
      throw new IllegalArgumentException("JSON lines do not say beforehand which fields there are: name those to carry");
    }
    Columns.checkNames(columns.carry());
    this.carried = columns.carry().stream().map(name -> new Column(name, Column.Type.TEXT)).toList();
  }

  @Override
  public List<Column> carried() {
    return carried;
  }

  @Override
  Item item(Line line) {
    JsonNode value;
    try {
      value = Json.MAPPER.readTree(line.bytes());
    } catch (JacksonException e) {
      return malformed(line, NullNode.instance, e.getOriginalMessage() + column(e));
    } catch (IOException | NumberFormatException e) { // the latter for an exponent that no BigDecimal has
      return malformed(line, NullNode.instance, e.getMessage());
    }
    if (!(value instanceof ObjectNode object)) {
      return malformed(line, NullNode.instance, "expected an object {\"id\": ..., \"" + columns.text() + "\": \"...\"}");
    }
    JsonNode id = object.has(columns.id()) ? object.get(columns.id()) : NullNode.instance;
    List<String> contents = columns.contentNames().stream().filter(object::hasNonNull).toList();
    if (contents.size() != 1) {
      return malformed(line, id, (contents.isEmpty() ? "it has none" : "it has " + String.join(" and ", contents))
          + ", expected one of \"%s\", \"%s\" and \"%s\"".formatted(columns.contentNames().toArray()));
    }
    String name = contents.getFirst();
    boolean pdf = name.equals(columns.pdf());
    List<String> fields = pdf ? List.of(name, "pages", "task", "prompt") : List.of(name, "task", "prompt");
    for (String field : fields) {
      JsonNode node = object.get(field);
      if (node != null && !node.isTextual()) {
        return malformed(line, id, "\"" + field + "\" is " + node.getNodeType().name().toLowerCase(Locale.ROOT)
            + ", expected a string");
      }
    }
    warnIgnored(line, object, fields);
    String content = object.get(name).textValue();
    return new Item(id, name.equals(columns.text()) ? new Item.Content.Text(content)
        : pdf ? new Item.Content.Pdf(new Source(content), object.path("pages").textValue())
        : new Item.Content.Picture(new Source(content)),
        object.path("task").textValue(), object.path("prompt").textValue(), line.place(), carried(object));
  }

  private List<JsonNode> carried(ObjectNode object) {
    if (carried.isEmpty()) return List.of();
    List<JsonNode> values = new ArrayList<>(carried.size());
    for (Column column : carried) {
      JsonNode value = object.get(column.name());
      values.add(value == null ? JsonNodeFactory.instance.nullNode() : value);
    }
    return values;
  }

  private void warnIgnored(Line line, ObjectNode object, List<String> known) {
    Set<String> others = new TreeSet<>();
    object.fieldNames().forEachRemaining(name -> {
      boolean used = name.equals(columns.id()) || known.contains(name) || columns.carry().contains(name);
      if (!used && ignored.size() < 100 && ignored.add(name)) others.add(name);
    });
    if (!others.isEmpty()) warnings.accept("line " + line.number() + ": ignoring the fields " + String.join(", ", others));
  }

  private static String column(JacksonException e) {
    return e.getLocation() == null ? "" : " (column " + e.getLocation().getColumnNr() + ")";
  }
}
