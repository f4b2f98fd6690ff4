package io.embed4j.cli.input;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.LongNode;
import io.embed4j.cli.base.UnusableException;
import java.util.ArrayList;
import java.util.List;

/** From the rows of a table, whose columns are known beforehand, to items. */
final class Table {
  private static final JsonNode NULL = JsonNodeFactory.instance.nullNode();

  private final Columns columns;
  private final List<String> contents;
  private final List<String> carried;
  private final boolean hasId;
  private final boolean hasTask;
  private final boolean hasPrompt;
  private final boolean hasPages;

  /** A row, asked by the names of its columns. */
  interface Row {
    /** The value, or null. */
    JsonNode value(String column);

    /** The value of a column that is text, or null. */
    String text(String column);

    /** The value of a column that is bytes, or names a file; null: there is none. */
    Source source(String column);
  }

  /**
   * A table with these columns.
   *
   * @throws UnusableException when none of them is to be embedded, or one to carry is missing
   */
  Table(String name, List<String> present, Columns columns) {
    this.columns = columns;
    this.contents = columns.contentNames().stream().filter(present::contains).toList();
    if (contents.isEmpty()) {
      throw new UnusableException(name + " has the columns " + present + ", expected one of " + columns.contentNames()
          + ": name yours with --text-column, --image-column or --pdf-column", null);
    }
    try {
      this.carried = columns.carried(present);
    } catch (IllegalArgumentException e) {
      throw new UnusableException(name + ": " + e.getMessage(), e);
    }
    this.hasId = present.contains(columns.id());
    this.hasTask = present.contains("task");
    this.hasPrompt = present.contains("prompt");
    this.hasPages = present.contains("pages");
  }

  /** Names of the columns that are read. */
  List<String> used() {
    List<String> used = new ArrayList<>(contents);
    used.addAll(carried);
    if (hasId) used.add(columns.id());
    if (hasTask) used.add("task");
    if (hasPrompt) used.add("prompt");
    if (hasPages) used.add("pages");
    return used.stream().distinct().toList();
  }

  /** Names of what items carry. */
  List<String> carried() {
    return carried;
  }

  boolean hasId() {
    return hasId;
  }

  /** A row as an item: of the columns with content exactly one has a value. Without a column of ids, the number is the id. */
  Item item(Row row, long number, Place place) {
    JsonNode id = hasId ? row.value(columns.id()) : LongNode.valueOf(number);
    List<String> filled = contents.stream().filter(column -> row.value(column) != null).toList();
    if (filled.size() != 1) {
      return Item.error(orNull(id), Items.MALFORMED_ROW, place.unit() + " " + place.number() + ": it has "
          + (filled.isEmpty() ? "no value" : "values") + " in " + String.join(" and ", filled.isEmpty() ? contents : filled)
          + ", expected one", place);
    }
    String column = filled.getFirst();
    Item.Content content = column.equals(columns.text()) ? new Item.Content.Text(row.text(column))
        : column.equals(columns.pdf()) ? new Item.Content.Pdf(row.source(column), hasPages ? row.text("pages") : null)
        : new Item.Content.Picture(row.source(column));
    List<JsonNode> values = new ArrayList<>(carried.size());
    for (String name : carried) values.add(orNull(row.value(name)));
    return new Item(orNull(id), content, hasTask ? row.text("task") : null, hasPrompt ? row.text("prompt") : null, place, values);
  }

  private static JsonNode orNull(JsonNode value) {
    return value == null ? NULL : value;
  }
}
