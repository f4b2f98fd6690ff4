package io.embed4j.cli.input;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.NullNode;
import dev.hardwood.metadata.LogicalType;
import dev.hardwood.metadata.PhysicalType;
import dev.hardwood.metadata.RepetitionType;
import dev.hardwood.reader.ParquetFileReader;
import dev.hardwood.row.PqStruct;
import dev.hardwood.schema.ColumnProjection;
import dev.hardwood.schema.SchemaNode;
import io.embed4j.cli.base.UnusableException;
import io.embed4j.cli.input.Column.Type;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * The rows of a Parquet file. Pictures and PDFs are a path, the bytes themselves, or a group with {@code bytes}, as datasets
 * of pictures have it. A row that cannot be read is an item with an error, see {@link ParquetRows}.
 */
final class ParquetReader implements Items {
  private static final String BYTES = "bytes";

  private final Path file;
  private final Stream stream;
  private final ParquetFileReader reader;
  private final Map<String, SchemaNode> schema = new LinkedHashMap<>();
  private final Table table;
  private final List<Column> carried;
  private final Type idType;
  private final ParquetRows rows;

  ParquetReader(Stream stream, Columns columns, Consumer<String> warnings) throws IOException {
    this.stream = stream;
    this.file = stream.file();
    stream.in().close(); // it is read in ranges instead
    FileRanges ranges = new FileRanges(file);
    try {
      this.reader = ParquetFileReader.open(ranges);
    } catch (IOException | RuntimeException | OutOfMemoryError e) {
      throw damaged("", e);
    }
    try {
      for (SchemaNode node : reader.getFileSchema().getRootNode().children()) {
        schema.put(Objects.requireNonNull(node.name(), "a column without a name"), node);
      }
      this.table = new Table(file.toString(), List.copyOf(schema.keySet()), columns);
      this.carried = table.carried().stream().map(name -> new Column(name, type(name))).toList();
      this.idType = table.hasId() ? type(columns.id()) : Type.LONG;
      this.rows = new ParquetRows(ranges, reader, ColumnProjection.columns(table.used().toArray(String[]::new)),
          warning -> warnings.accept(file + ": " + warning));
    } catch (UnusableException e) {
      reader.close();
      throw e;
    } catch (RuntimeException e) {
      reader.close();
      throw damaged("", e);
    }
  }

  @Override
  public Item next() {
    try {
      if (!rows.next()) return null;
      long row = rows.number();
      Place place = Place.counted("row", row, null, row - 1);
      if (!rows.isLost()) return item(row, place);
      JsonNode id = table.hasId() ? NullNode.instance : LongNode.valueOf(row);
      return Item.error(id, UNREADABLE_ROW, "row " + row + ": the file is damaged in " + rows.groupName()
          + ", which cannot be read to its end", place);
    } catch (OutOfMemoryError e) {
      throw damaged(" behind row " + rows.number(), e);
    }
  }

  private Item item(long row, Place place) {
    try {
      return table.item(new Row(), row, place);
    } catch (UnusableException e) {
      throw e;
    } catch (RuntimeException e) { // such as text that is none
      return Item.error(NullNode.instance, MALFORMED_ROW, "row " + row + ": " + (e.getMessage() == null ? e : e.getMessage()),
          place);
    }
  }

  /** The row that is read. */
  private final class Row implements Table.Row {
    @Override
    public JsonNode value(String column) {
      if (rows.values().isNull(column)) return null;
      JsonNodeFactory json = JsonNodeFactory.instance;
      if (!(schema.get(column) instanceof SchemaNode.PrimitiveNode)) return json.objectNode(); // there is one, of pictures
      return switch (type(column)) {
        case BOOLEAN -> json.booleanNode(rows.values().getBoolean(column));
        case INT -> json.numberNode(rows.values().getInt(column));
        case LONG -> json.numberNode(rows.values().getLong(column));
        case FLOAT -> json.numberNode(rows.values().getFloat(column));
        case DOUBLE -> json.numberNode(rows.values().getDouble(column));
        case BYTES -> json.binaryNode(rows.values().getBinary(column));
        case TEXT -> json.textNode(rows.values().getValue(column).toString());
      };
    }

    @Override
    public String text(String column) {
      if (rows.values().isNull(column)) return null;
      requireText(column);
      return rows.values().getString(column);
    }

    @Override
    public Source source(String column) {
      if (!(schema.get(column) instanceof SchemaNode.PrimitiveNode)) {
        PqStruct struct = rows.values().getStruct(column);
        return new Source("row " + rows.number(), struct.getBinary(BYTES));
      }
      if (type(column) == Type.BYTES) return new Source("row " + rows.number(), rows.values().getBinary(column));
      return new Source(text(column));
    }
  }

  private void requireText(String column) {
    if (schema.get(column) instanceof SchemaNode.PrimitiveNode node && node.type() == PhysicalType.BYTE_ARRAY) return;
    throw new UnusableException(file + ": the column " + column + " is " + schema.get(column) + ", expected text", null);
  }

  /** Dates, times, decimals and the like are carried as text. */
  private Type type(String column) {
    if (!(schema.get(column) instanceof SchemaNode.PrimitiveNode node)
        || node.repetitionType() == RepetitionType.REPEATED) {
      throw new UnusableException(file + ": the column " + column + " is nested, only flat ones can be carried", null);
    }
    LogicalType logical = node.logicalType();
    boolean plain = logical == null || logical instanceof LogicalType.IntType;
    return switch (node.type()) {
      case BOOLEAN -> Type.BOOLEAN;
      case INT32 -> plain ? Type.INT : Type.TEXT;
      case INT64 -> plain ? Type.LONG : Type.TEXT;
      case FLOAT -> Type.FLOAT;
      case DOUBLE -> Type.DOUBLE;
      case BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY -> logical == null ? Type.BYTES : Type.TEXT;
      case INT96 -> Type.TEXT;
    };
  }

  private UnusableException damaged(String where, Throwable e) {
    return new UnusableException("cannot read " + file + where + ": " + (e.getMessage() == null ? e : e.getMessage()), e);
  }

  @Override
  public boolean ready() {
    return true;
  }

  @Override
  public void resume(Cursor cursor) {
    rows.resume(cursor.items());
  }

  @Override
  public Map<String, String> identity() throws IOException {
    return stream.identity();
  }

  @Override
  public Type idType() {
    return idType;
  }

  @Override
  public List<Column> carried() {
    return carried;
  }

  @Override
  public long size() {
    return reader.getFileMetaData().numRows();
  }

  @Override
  public void close() throws IOException {
    rows.close();
    reader.close();
  }
}
