package io.embed4j.cli.input;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.NullNode;
import io.embed4j.cli.input.Lines.Line;
import java.io.IOException;
import java.util.Map;

/** Items that are read line by line from a stream. Empty lines are skipped. */
abstract class LineItems implements Items {
  private final Stream stream;
  private final int maxLineBytes;
  private final Lines lines;

  LineItems(Stream stream, int maxLineBytes) {
    this.stream = stream;
    this.maxLineBytes = maxLineBytes;
    this.lines = stream.lines(maxLineBytes);
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

  @Override
  public boolean ready() throws IOException {
    return lines.ready();
  }

  @Override
  public void resume(Cursor cursor) throws IOException {
    lines.resume(cursor);
  }

  @Override
  public Map<String, String> identity() throws IOException {
    return stream.identity();
  }

  @Override
  public long size() {
    return stream.size();
  }

  @Override
  public long done(Cursor cursor) {
    return cursor.bytes();
  }

  @Override
  public boolean sizeInBytes() {
    return true;
  }

  @Override
  public void close() throws IOException {
    lines.close();
  }
}
