package io.embed4j.cli.input;

import com.fasterxml.jackson.databind.node.IntNode;
import io.embed4j.cli.base.Fingerprint;
import java.util.List;
import java.util.Map;

/** The arguments of a command, whose ids are 0, 1, ... */
final class GivenItems implements Items {
  private final List<String> arguments;
  private final boolean files;
  private int next;

  /**
   * Of arguments.
   *
   * @param files whether an argument that ends as a picture or a PDF does is one; otherwise all are texts
   */
  GivenItems(List<String> arguments, boolean files) {
    this.arguments = arguments;
    this.files = files;
  }

  @Override
  public Item next() {
    if (next == arguments.size()) return null;
    int number = next++;
    String argument = arguments.get(number);
    return Item.of(IntNode.valueOf(number), files ? content(argument) : new Item.Content.Text(argument),
        Place.counted("argument", number, null, number));
  }

  /** Its extension tells. */
  private static Item.Content content(String argument) {
    return Source.namesPicture(argument) ? new Item.Content.Picture(new Source(argument))
        : Source.namesPdf(argument) ? new Item.Content.Pdf(new Source(argument), null)
        : new Item.Content.Text(argument);
  }

  @Override
  public boolean ready() {
    return true;
  }

  @Override
  public void resume(Cursor cursor) {
    next = Math.toIntExact(cursor.items());
  }

  @Override
  public Map<String, String> identity() {
    return Map.of("input", "arguments, " + Fingerprint.of(String.join("\0", arguments)));
  }

  @Override
  public Column.Type idType() {
    return Column.Type.LONG;
  }

  @Override
  public long size() {
    return arguments.size();
  }
}
