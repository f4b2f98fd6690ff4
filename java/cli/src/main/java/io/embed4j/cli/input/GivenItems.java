package io.embed4j.cli.input;

import com.fasterxml.jackson.databind.node.IntNode;
import io.embed4j.cli.base.Fingerprint;
import java.util.List;
import java.util.Map;

/** The arguments of a command, whose ids are 0, 1, ... */
final class GivenItems extends ListItems<String> {
  private final boolean files;

  /**
   * Of arguments.
   *
   * @param files whether an argument that ends as a picture or a PDF does is one; otherwise all are texts
   */
  GivenItems(List<String> arguments, boolean files) {
    super(arguments);
    this.files = files;
  }

  @Override
  Item item(String argument, int index) {
    return Item.of(IntNode.valueOf(index), files ? content(argument) : new Item.Content.Text(argument),
        Place.counted("argument", index, null, index));
  }

  /** Its extension tells. */
  private static Item.Content content(String argument) {
    return Source.namesPicture(argument) ? new Item.Content.Picture(new Source(argument))
        : Source.namesPdf(argument) ? new Item.Content.Pdf(new Source(argument), null)
        : new Item.Content.Text(argument);
  }

  @Override
  public Map<String, String> identity() {
    return Map.of("input", "arguments, " + Fingerprint.of(String.join("\0", list())));
  }

  @Override
  public Column.Type idType() {
    return Column.Type.LONG;
  }
}
