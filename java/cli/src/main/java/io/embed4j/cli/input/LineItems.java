package io.embed4j.cli.input;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.NullNode;
import io.embed4j.cli.input.Lines.Line;
import java.io.IOException;

/** Items of a line each. Empty lines are skipped. */
abstract class LineItems extends StreamItems {
  private final int maxLineBytes;

  LineItems(Stream stream, int maxLineBytes) {
    super(stream, maxLineBytes);
    this.maxLineBytes = maxLineBytes;
  }

  /** What a line that is not blank holds. */
  abstract Item item(Line line) throws IOException;

  @Override
  public Item next() throws IOException {
    while (true) {
      Line line = lines.next();
      if (line == null) return null;
      if (line.bytes() == null) {
        return malformed(line, NullNode.instance, "it is longer than " + maxLineBytes + " bytes");
      }
      if (!line.isBlank()) return item(line);
    }
  }

  /** An item for a line that cannot be read as one. */
  static Item malformed(Line line, JsonNode id, String reason) {
    return Item.error(id, MALFORMED_LINE, "line " + line.number() + ": " + reason, line.place());
  }
}
