package io.embed4j.cli.input;

import dev.hardwood.metadata.RowGroup;
import dev.hardwood.reader.ParquetFileReader;
import dev.hardwood.reader.RowReader;
import dev.hardwood.schema.ColumnProjection;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * The rows of a Parquet file, row group by row group. Of a group that is damaged the rows before the damage are read; from
 * there to its end they are lost, because a page is found by way of those before it. Reading goes on with the next group.
 * Which rows are lost depends on the file only, not on where reading began. Not thread-safe.
 */
final class ParquetRows implements AutoCloseable {
  private final FileRanges file;
  private final ParquetFileReader reader;
  private final ColumnProjection columns;
  private final Consumer<String> warnings;
  private final List<RowGroup> groups;
  private RowReader rows; // from some row of the group to its end, or to where the lost ones begin
  private long row; // those before the next one
  private int group = -1;
  private long groupBegin;
  private long groupEnd;
  private long lostFrom;

  /**
   * From the first row on.
   *
   * @param warnings says which rows are lost, and why
   * @throws IllegalArgumentException when the footer contradicts itself
   */
  ParquetRows(FileRanges file, ParquetFileReader reader, ColumnProjection columns, Consumer<String> warnings) {
    this.file = file;
    this.reader = reader;
    this.columns = columns;
    this.warnings = warnings;
    this.groups = reader.getFileMetaData().rowGroups();
    long sum = 0;
    for (RowGroup each : groups) {
      if (each.numRows() < 0) throw new IllegalArgumentException("a row group has " + each.numRows() + " rows");
      sum = Math.addExact(sum, each.numRows());
    }
    if (sum != reader.getFileMetaData().numRows()) {
      throw new IllegalArgumentException("its row groups have " + sum + " rows, the file " + reader.getFileMetaData().numRows());
    }
  }

  /** Goes on behind so many rows. */
  void resume(long done) {
    close();
    row = done;
    group = -1;
    groupBegin = 0;
    groupEnd = 0;
  }

  /** Goes to the next row, which may be lost; false after the last. */
  boolean next() {
    while (row >= groupEnd) {
      if (group + 1 == groups.size()) return false;
      close();
      group++;
      groupBegin = groupEnd;
      groupEnd += groups.get(group).numRows();
      lostFrom = groupEnd;
    }
    if (row < lostFrom) read();
    row++;
    return true;
  }

  /** Number of the row, from 1. */
  long number() {
    return row;
  }

  /** Whether it cannot be read. */
  boolean isLost() {
    return row > lostFrom;
  }

  /** Its values; it is not lost. */
  RowReader values() {
    return rows;
  }

  /** Where it lies. */
  String groupName() {
    return String.format(Locale.ROOT, "row group %d, rows %,d to %,d", group + 1, groupBegin + 1, groupEnd);
  }

  /** Makes the next row the one whose values are there, or finds that it is lost. */
  private void read() {
    try {
      if (rows == null) rows = open(row, lostFrom);
      if (!rows.hasNext()) throw new IllegalStateException("it ends too early");
      rows.next();
    } catch (RuntimeException e) { // of this row, or of one behind it: they are read ahead
      close();
      file.requireUnchanged();
      lostFrom = firstUnreadable();
      warnings.accept(String.format(Locale.ROOT, "rows %,d to %,d, the rest of row group %d, cannot be read: %s", lostFrom + 1,
          groupEnd, group + 1, e.getMessage() == null ? e : e.getMessage()));
      if (row < lostFrom) read();
    }
  }

  /** By halving what is left of the group, which as a whole cannot be read. */
  private long firstUnreadable() {
    long readable = row; // the rows before it can be read
    long unreadable = lostFrom; // those before it cannot all be read
    while (unreadable - readable > 1) {
      long middle = (readable + unreadable) >>> 1;
      if (isReadable(readable, middle)) readable = middle;
      else unreadable = middle;
    }
    return readable;
  }

  private boolean isReadable(long begin, long end) {
    try (RowReader probe = open(begin, end)) {
      for (long i = begin; i < end; i++) {
        if (!probe.hasNext()) return false;
        probe.next();
      }
      return true;
    } catch (RuntimeException e) {
      return false;
    }
  }

  private RowReader open(long begin, long end) {
    return reader.buildRowReader().projection(columns).skip(begin).head(end - begin).build();
  }

  @Override
  public void close() {
    if (rows != null) rows.close();
    rows = null;
  }
}
