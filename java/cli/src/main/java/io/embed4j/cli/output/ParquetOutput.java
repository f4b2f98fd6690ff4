package io.embed4j.cli.output;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.Embedding;
import io.embed4j.cli.base.Json;
import io.embed4j.cli.input.Column;
import io.embed4j.cli.output.VectorType.Vectors;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.parquet.format.ColumnChunk;
import org.apache.parquet.format.FileMetaData;
import org.apache.parquet.format.RowGroup;
import org.apache.parquet.format.Util;

/**
 * Results as a Parquet file: id, page, the carried columns, image_tokens, for multi-vectors grid_rows, grid_columns and
 * first_image_row, for int8 scale(s), and embedding(s). It grows by pages of vectors, behind which the other columns follow
 * when a row group ends. Until then the rows are also in a file of their own, with the values only of vectors that fill no
 * page yet, so that no more work is lost than since the last sync; what the footer will say of the groups is in another. Why
 * no library writes it: none goes on with a file that was begun. The footer's structures are Apache Parquet's.
 */
final class ParquetOutput implements Output {
  private static final byte[] MAGIC = "PAR1".getBytes(StandardCharsets.US_ASCII);

  private final Shape shape;
  private final boolean fixed;
  private final long groupBytes;
  private final PartFile file;
  private final PartFile pending;
  private final PartFile groups;
  private final ParquetSchema schema;
  private final ParquetColumn id;
  private final ParquetColumn page;
  private final List<ParquetColumn> carried = new ArrayList<>();
  private final List<ParquetColumn> image = new ArrayList<>();
  private final ParquetColumn scales;
  private final ParquetColumn vectors;
  private final List<Row> unlogged = new ArrayList<>(); // rows of the group that pending lacks
  private int groupRows;
  private int pagedRows; // those of the group whose vectors are in whole pages
  private boolean pendingWritten;

  /**
   * A file.
   *
   * @param fixed a vector is a value of so many bytes, not a list
   * @param groupBytes at which a row group ends
   */
  record Table(Path path, Shape shape, boolean fixed, long groupBytes) implements Format {
    @Override
    public Output open(ObjectNode state) throws IOException {
      return new ParquetOutput(this, state);
    }

    @Override
    public Map<Path, Path> parts() {
      return Map.of(Shape.part(path), path);
    }

    @Override
    public List<Path> scratch() {
      return List.of(beside(".rows"), beside(".groups"));
    }

    private Path beside(String extension) {
      return path.resolveSibling(path.getFileName() + extension);
    }
  }

  private ParquetOutput(Table table, ObjectNode state) throws IOException {
    this.shape = table.shape;
    this.fixed = table.fixed;
    this.groupBytes = table.groupBytes;
    file = PartFile.open(Shape.part(table.path), state == null ? 0 : state.get("bytes").longValue());
    schema = new ParquetSchema(file);
    boolean multi = shape.multiVector();
    int lists = multi ? 1 : 0;
    id = schema.value("id", shape.id());
    page = schema.value("page", Column.Type.INT);
    for (Column column : shape.carried()) carried.add(schema.value(column.name(), column.type()));
    List<String> places = multi ? List.of("image_tokens", "grid_rows", "grid_columns", "first_image_row") : List.of("image_tokens");
    for (String name : places) image.add(schema.value(name, Column.Type.INT));
    scales = shape.type() == VectorType.INT8 ? schema.floats(multi ? "scales" : "scale", lists) : null;
    String name = multi ? "embeddings" : "embedding";
    vectors = fixed ? schema.fixed(name, shape.type().bytes(shape.dimensions()), lists)
        : schema.elements(name, shape.type(), lists + 1);

    pending = PartFile.open(table.beside(".rows"), state == null ? 0 : state.get("pending").longValue());
    groups = PartFile.open(table.beside(".groups"), state == null ? 0 : state.get("groups").longValue());
    if (file.length() == 0) file.write(MAGIC);
    if (state != null) replay(state.get("paged").intValue(), state.get("page").longValue());
  }

  /** Takes the group to come from pending; so many rows' vectors are in pages of the file, which begin there. */
  private void replay(int paged, long begin) throws IOException {
    DataInputStream rows = new DataInputStream(new ByteArrayInputStream(pending.read(Math.toIntExact(pending.length()))));
    long count = 0;
    while (rows.available() > 0) {
      Row row = Row.readFrom(rows);
      addColumns(row);
      if (groupRows > paged) addVectors(row.vectors());
      else count += count(row.vectors().rows());
    }
    pagedRows = paged;
    vectors.resume(begin, count);
  }

  @Override
  public void write(Origin origin, Embedding embedding) throws IOException {
    if (pendingWritten) {
      pending.truncate(0); // now that the journal knows that they are in the file
      pendingWritten = false;
    }
    Row row = Row.of(origin, embedding, shape.type());
    addColumns(row);
    addVectors(row.vectors());
    unlogged.add(row);
    if (vectors.betweenPages()) {
      pagedRows = groupRows;
      log(false);
    }
  }

  private void log(boolean values) throws IOException {
    DataOutputStream out = new DataOutputStream(pending);
    for (Row row : unlogged) row.writeTo(out, values);
    unlogged.clear();
  }

  private void addColumns(Row row) {
    id.add(row.origin().id(), shape.id());
    if (row.origin().page() == 0) page.addNull();
    else page.add(encoded(row.origin().page()));
    for (int i = 0; i < carried.size(); i++) carried.get(i).add(row.origin().carried().get(i), shape.carried().get(i).type());
    for (int i = 0; i < image.size(); i++) {
      if (row.image().isEmpty()) image.get(i).addNull();
      else image.get(i).add(encoded(row.image().get(i)));
    }
    if (scales != null) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      for (float scale : row.vectors().scales()) Plain.writeInt(bytes, Float.floatToRawIntBits(scale));
      add(scales, bytes.toByteArray(), row.vectors().rows(), 1);
    }
    groupRows++;
  }

  private void addVectors(Vectors values) {
    if (fixed) add(vectors, values.values(), values.rows(), 1);
    else if (shape.multiVector()) vectors.add(elements(values.values()), values.rows(), count(1));
    else vectors.add(elements(values.values()), 1, count(1));
  }

  /** Values of Parquet that so many vectors are. */
  private int count(int rows) {
    if (fixed) return rows;
    return Math.multiplyExact(rows, shape.type() == VectorType.BINARY ? shape.type().bytes(shape.dimensions()) : shape.dimensions());
  }

  /** One value a row, or a list of one a vector. */
  private void add(ParquetColumn column, byte[] encoded, int rows, int inner) {
    if (shape.multiVector()) column.add(encoded, rows, inner);
    else column.add(encoded);
  }

  /** Values as a list holds them: those of a byte become int32. */
  private byte[] elements(byte[] values) {
    if (shape.type() == VectorType.FLOAT32 || shape.type() == VectorType.FLOAT16) return values;
    ByteBuffer ints = ByteBuffer.allocate(Integer.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (byte value : values) ints.putInt(shape.type() == VectorType.INT8 ? value : Byte.toUnsignedInt(value));
    return ints.array();
  }

  private static byte[] encoded(int value) {
    return ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
  }

  @Override
  public boolean due() {
    return schema.columns().stream().mapToLong(ParquetColumn::size).sum() >= groupBytes;
  }

  @Override
  public ObjectNode sync() throws IOException {
    if (due()) endGroup();
    else log(true);
    for (PartFile part : List.of(file, pending, groups)) part.sync();
    return Json.MAPPER.createObjectNode().put("bytes", file.length()).put("groups", groups.length())
        .put("pending", pendingWritten ? 0 : pending.length()).put("paged", pagedRows).put("page", vectors.begin());
  }

  private void endGroup() throws IOException {
    ColumnChunk vectorChunk = vectors.end();
    long begin = vectors.begin();
    List<ColumnChunk> chunks = new ArrayList<>();
    for (ParquetColumn column : schema.columns()) chunks.add(column == vectors ? vectorChunk : column.end());
    RowGroup group = new RowGroup(chunks, file.length() - begin, groupRows);
    group.setFile_offset(begin);
    group.setTotal_compressed_size(file.length() - begin);
    Util.writeFileMetaData(footer(List.of(group)), groups);
    unlogged.clear();
    groupRows = 0;
    pagedRows = 0;
    pendingWritten = true;
  }

  private FileMetaData footer(List<RowGroup> of) {
    FileMetaData footer =
        new FileMetaData(1, schema.elements(), of.stream().mapToLong(RowGroup::getNum_rows).sum(), of);
    footer.setCreated_by("embed4j");
    return footer;
  }

  @Override
  public void finish() throws IOException {
    if (groupRows > 0) endGroup();
    List<RowGroup> all = new ArrayList<>();
    ByteArrayInputStream in = new ByteArrayInputStream(groups.read(Math.toIntExact(groups.length())));
    while (in.available() > 0) all.addAll(Util.readFileMetaData(in).getRow_groups());
    long begin = file.length();
    Util.writeFileMetaData(footer(all), file);
    ByteArrayOutputStream end = new ByteArrayOutputStream();
    Plain.writeInt(end, Math.toIntExact(file.length() - begin));
    end.writeBytes(MAGIC);
    file.write(end.toByteArray());
    file.sync();
  }

  @Override
  public void close() throws IOException {
    try (file; pending; groups) {
      return;
    }
  }
}
