package io.embed4j.cli.input;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.hardwood.metadata.LogicalType;
import dev.hardwood.metadata.PhysicalType;
import dev.hardwood.metadata.RepetitionType;
import dev.hardwood.reader.ParquetFileReader;
import dev.hardwood.reader.RowReader;
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

/**
 * The rows of a Parquet file. Pictures and PDFs are a path, the bytes themselves, or a group with {@code bytes}, as datasets
 * of pictures have it. A file that is damaged ends the reading.
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
  private RowReader rows;
  private long row;

  ParquetReader(Stream stream, Columns columns) throws IOException {
    this.stream = stream;
    this.file = stream.file();
    stream.in().close(); // it is read in ranges instead
    try {
      this.reader = ParquetFileReader.open(new FileRanges(file));
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
      open(0);
    } catch (UnusableException e) {
      reader.close();
      throw e;
    } catch (RuntimeException e) {
      reader.close();
      throw damaged("", e);
    }
  }

  private void open(long skip) {
    rows = reader.buildRowReader().projection(ColumnProjection.columns(table.used().toArray(String[]::new))).skip(skip).build();
    row = skip;
  }

  @Override
  public Item next() {
    try {
      if (!rows.hasNext()) return null;
      rows.next();
      row++;
      return table.item(new Row(), row, Place.counted("row", row, null, row - 1));
    } catch (UnusableException e) {
      throw e;
    } catch (RuntimeException | OutOfMemoryError e) {
      throw damaged(" behind row " + row, e);
    }
  }

  /** The row that is read. */
  private final class Row implements Table.Row {
    @Override
    public JsonNode value(String column) {
      if (rows.isNull(column)) return null;
      JsonNodeFactory json = JsonNodeFactory.instance;
      if (!(schema.get(column) instanceof SchemaNode.PrimitiveNode)) return json.objectNode(); // there is one, of pictures
      return switch (type(column)) {
        case BOOLEAN -> json.booleanNode(rows.getBoolean(column));
        case INT -> json.numberNode(rows.getInt(column));
        case LONG -> json.numberNode(rows.getLong(column));
        case FLOAT -> json.numberNode(rows.getFloat(column));
        case DOUBLE -> json.numberNode(rows.getDouble(column));
        case BYTES -> json.binaryNode(rows.getBinary(column));
        case TEXT -> json.textNode(rows.getValue(column).toString());
      };
    }

    @Override
    public String text(String column) {
      if (rows.isNull(column)) return null;
      requireText(column);
      return rows.getString(column);
    }

    @Override
    public Source source(String column) {
      if (!(schema.get(column) instanceof SchemaNode.PrimitiveNode)) {
        PqStruct struct = rows.getStruct(column);
        return new Source("row " + row, struct.getBinary(BYTES));
      }
      if (type(column) == Type.BYTES) return new Source("row " + row, rows.getBinary(column));
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
    rows.close();
    open(cursor.items());
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
