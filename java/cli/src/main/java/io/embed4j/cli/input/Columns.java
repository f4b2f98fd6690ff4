package io.embed4j.cli.input;

import java.util.ArrayList;
import java.util.List;

/**
 * Which columns of a table, or fields of JSON lines, mean what.
 *
 * @param id given back with the vector
 * @param carry names of others that go into the output, or {@link #ALL} alone
 */
public record Columns(String id, String text, String image, String pdf, List<String> carry) {
  /** Carries every column but the id. */
  public static final String ALL = "all";
  /** Names that the output gives a meaning of its own. */
  private static final List<String> TAKEN = List.of("id", "page", "image_tokens", "grid", "first_image_row", "embedding",
      "embeddings", "scale", "scales", "error", "position");

  /** As JSON lines spell them. */
  public static final Columns DEFAULT = new Columns("id", "text", "image", "pdf", List.of());

  /** In the order text, image, pdf. */
  List<String> contentNames() {
    return List.of(text, image, pdf);
  }

  boolean carriesAll() {
    return carry.equals(List.of(ALL));
  }

  /**
   * What is carried of a table with these columns.
   *
   * @throws IllegalArgumentException naming a column that is not there, or whose name has a meaning of its own
   */
  List<String> carried(List<String> present) {
    List<String> names = new ArrayList<>(carriesAll() ? present : carry);
    if (carriesAll()) names.remove(id);
    for (String name : names) {
      if (!present.contains(name)) {
        throw new IllegalArgumentException("there is no column " + name + " to carry, expected some of " + present);
      }
    }
    checkNames(names);
    return List.copyOf(names);
  }

  /**
   * Refuses names that the output gives a meaning of its own.
   *
   * @throws IllegalArgumentException naming it
   */
  static void checkNames(List<String> names) {
    for (String name : names) {
      if (TAKEN.contains(name)) {
        throw new IllegalArgumentException("the column " + name + " cannot be carried: the output has one of that name");
      }
    }
  }
}
