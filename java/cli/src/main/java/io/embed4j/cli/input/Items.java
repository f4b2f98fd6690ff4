package io.embed4j.cli.input;

import java.io.Closeable;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/** A stream of inputs. Not thread-safe. */
public interface Items extends Closeable {
  /** What becomes of an item that cannot be read as one. */
  String MALFORMED_LINE = "malformed_line";
  /** Likewise, of a table. */
  String MALFORMED_ROW = "malformed_row";
  /** What becomes of a row in a damaged part of a table. */
  String UNREADABLE_ROW = "unreadable_row";

  /** The next input, or null after the last. */
  Item next() throws IOException;

  /** Whether the next input can be had without waiting. */
  boolean ready() throws IOException;

  /**
   * Goes to where a former run stopped; before the first {@link #next}.
   *
   * @throws IOException also when the input has changed, as far as that shows
   */
  void resume(Cursor cursor) throws IOException;

  /** What says whether a later run reads the same: names and values. */
  Map<String, String> identity() throws IOException;

  /** The ids, of one type where the input says so. */
  default Column.Type idType() {
    return Column.Type.TEXT;
  }

  /** The columns that items carry. */
  default List<Column> carried() {
    return List.of();
  }

  /** How much there is, in the unit of {@link #done}; -1: unknown. */
  long size();

  /** How much of {@link #size} lies before this. */
  default long done(Cursor cursor) {
    return cursor.items();
  }

  /** Whether size is in bytes. */
  default boolean sizeInBytes() {
    return false;
  }

  @Override
  default void close() throws IOException {}
}
