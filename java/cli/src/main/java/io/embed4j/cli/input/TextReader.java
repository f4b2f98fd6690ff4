package io.embed4j.cli.input;

import com.fasterxml.jackson.databind.node.LongNode;
import io.embed4j.cli.base.Json;
import io.embed4j.cli.input.Lines.Line;
import java.nio.charset.CharacterCodingException;

/** Plain text, an item a line, whose id is the line's number, from 1. */
final class TextReader extends LineItems {
  TextReader(Stream stream) {
    super(stream, Json.MAX_LINE_BYTES);
  }

  @Override
  Item item(Line line) {
    LongNode id = LongNode.valueOf(line.number());
    try {
      String text = Utf8.decode(line.bytes());
      return Item.of(id, new Item.Content.Text(text.endsWith("\r") ? text.substring(0, text.length() - 1) : text), line.place());
    } catch (CharacterCodingException e) {
      return malformed(line, id, "it is not UTF-8");
    }
  }

  @Override
  public Column.Type idType() {
    return Column.Type.LONG;
  }
}
