package io.embed4j.cli.output;

import io.embed4j.cli.input.Column;
import java.util.ArrayList;
import java.util.List;
import org.apache.parquet.format.ConvertedType;
import org.apache.parquet.format.FieldRepetitionType;
import org.apache.parquet.format.Float16Type;
import org.apache.parquet.format.IntType;
import org.apache.parquet.format.ListType;
import org.apache.parquet.format.LogicalType;
import org.apache.parquet.format.SchemaElement;
import org.apache.parquet.format.StringType;
import org.apache.parquet.format.Type;

/** The schema of a file and its columns, built together: groups in depth-first order, as the format wants it. */
final class ParquetSchema {
  private final List<SchemaElement> elements = new ArrayList<>(List.of(new SchemaElement("schema")));
  private final List<ParquetColumn> columns = new ArrayList<>();

  private final PartFile file;

  /** An empty schema of a file. */
  ParquetSchema(PartFile file) {
    this.file = file;
    elements.getFirst().setNum_children(0);
  }

  List<SchemaElement> elements() {
    return elements;
  }

  /** The columns that were added, in order. */
  List<ParquetColumn> columns() {
    return columns;
  }

  /** Adds a value a row, which may be missing. */
  ParquetColumn value(String name, Column.Type type) {
    SchemaElement element = switch (type) {
      case BOOLEAN -> leaf(Type.BOOLEAN);
      case INT -> leaf(Type.INT32);
      case LONG -> leaf(Type.INT64);
      case FLOAT -> leaf(Type.FLOAT);
      case DOUBLE -> leaf(Type.DOUBLE);
      case TEXT -> leaf(Type.BYTE_ARRAY).setConverted_type(ConvertedType.UTF8).setLogicalType(LogicalType.STRING(new StringType()));
      case BYTES -> leaf(Type.BYTE_ARRAY);
    };
    return column(name, element, 0, true, true);
  }

  /** Adds a float32, or lists of them. */
  ParquetColumn floats(String name, int lists) {
    return column(name, leaf(Type.FLOAT), lists, false, true);
  }

  /** Adds vectors that are so many bytes each, or lists of them; their pages go into the file at once. */
  ParquetColumn fixed(String name, int bytes, int lists) {
    return column(name, leaf(Type.FIXED_LEN_BYTE_ARRAY).setType_length(bytes), lists, false, false);
  }

  /** Adds lists of values as they are stored in vectors; their pages go into the file at once. */
  ParquetColumn elements(String name, VectorType type, int lists) {
    return column(name, switch (type) {
      case FLOAT32 -> leaf(Type.FLOAT);
      case FLOAT16 -> leaf(Type.FIXED_LEN_BYTE_ARRAY).setType_length(2).setLogicalType(LogicalType.FLOAT16(new Float16Type()));
      case INT8 -> integer(true, ConvertedType.INT_8);
      case BINARY -> integer(false, ConvertedType.UINT_8);
    }, lists, false, false);
  }

  private static SchemaElement integer(boolean signed, ConvertedType converted) {
    return leaf(Type.INT32).setConverted_type(converted)
        .setLogicalType(LogicalType.INTEGER(new IntType((byte) 8, signed)));
  }

  private static SchemaElement leaf(Type type) {
    return new SchemaElement().setType(type);
  }

  private ParquetColumn column(String name, SchemaElement leaf, int lists, boolean optional, boolean keep) {
    elements.getFirst().setNum_children(elements.getFirst().getNum_children() + 1);
    List<String> path = new ArrayList<>(List.of(name));
    for (int i = 0; i < lists; i++) {
      elements.add(new SchemaElement(path.getLast()).setNum_children(1).setRepetition_type(FieldRepetitionType.REQUIRED)
          .setConverted_type(ConvertedType.LIST).setLogicalType(LogicalType.LIST(new ListType())));
      elements.add(new SchemaElement("list").setNum_children(1).setRepetition_type(FieldRepetitionType.REPEATED));
      path.add("list");
      path.add("element");
    }
    elements.add(leaf.setName(path.getLast())
        .setRepetition_type(optional ? FieldRepetitionType.OPTIONAL : FieldRepetitionType.REQUIRED));
    ParquetColumn column = new ParquetColumn(List.copyOf(path), leaf.getType(), lists, optional, file, keep);
    columns.add(column);
    return column;
  }
}
