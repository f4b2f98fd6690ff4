package io.embed4j.cli.input;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.cli.base.Json;

/**
 * Where in the input an item stands.
 *
 * @param unit what number counts: line, row, file or argument
 * @param number from 1; of an argument from 0, as its id
 * @param start its first byte, or -1 where bytes are not counted
 * @param file its name, or null where all items are in one
 * @param before where reading begins to get it
 * @param after where reading goes on behind it
 */
public record Place(String unit, long number, long start, String file, Cursor before, Cursor after) {
  /** Of items that have no bytes to count; done is how many lie before it. */
  static Place counted(String unit, long number, String file, long done) {
    return new Place(unit, number, -1, file, Cursor.after(done), Cursor.after(done + 1));
  }

  /** For people and programs that look for the item: {"line": 7, "byte": 123}, {"row": 7}, {"file": "a.pdf", "page": 3}. */
  public ObjectNode json(int page) {
    ObjectNode json = Json.MAPPER.createObjectNode();
    if (file == null) json.put(unit, number);
    else json.put("file", file);
    if (start >= 0) json.put("byte", start);
    if (page > 0) json.put("page", page);
    return json;
  }
}
