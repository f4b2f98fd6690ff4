package io.embed4j.cli.input;

/**
 * A column of the input that goes into the output, the id among them.
 *
 * @param name in both
 * @param type of its values
 */
public record Column(String name, Type type) {
  /** What an output with types stores: a value that is not of the type is written as text. */
  public enum Type { BOOLEAN, INT, LONG, FLOAT, DOUBLE, TEXT, BYTES }
}
