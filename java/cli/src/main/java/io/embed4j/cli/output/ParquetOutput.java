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
 * first_image_row, for int8 scale(s), and embedding(s). It grows by row groups. The rows of the group to come are also in a
 * file of their own, so that no more work is lost than since the last sync, and what the footer will say of the groups is in
 * another. Why no library writes it: none goes on with a file that was begun. The footer's structures are Apache Parquet's.
 */
final class ParquetOutput implements Output {
  private static final byte[] MAGIC = "PAR1".getBytes(StandardCharsets.US_ASCII);

  private final Shape shape;
  private final boolean fixed;
  private final long groupBytes;
  private final PartFile file;
  private final PartFile pending;
  private final PartFile groups;
  private final ParquetSchema schema = new ParquetSchema();
  private final ParquetColumn id;
  private final ParquetColumn page;
  private final List<ParquetColumn> carried = new ArrayList<>();
  private final List<ParquetColumn> image = new ArrayList<>();
  private final ParquetColumn scales;
  private final ParquetColumn vectors;
  private int groupRows;
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

    file = PartFile.open(Shape.part(table.path), state == null ? 0 : state.get("bytes").longValue());
    pending = PartFile.open(table.beside(".rows"), state == null ? 0 : state.get("pending").longValue());
    groups = PartFile.open(table.beside(".groups"), state == null ? 0 : state.get("groups").longValue());
    if (file.length() == 0) file.write(MAGIC);
    DataInputStream rows = new DataInputStream(new ByteArrayInputStream(pending.read(Math.toIntExact(pending.length()))));
    while (rows.available() > 0) add(Row.readFrom(rows));
  }

  @Override
  public void write(Origin origin, Embedding embedding) throws IOException {
    if (pendingWritten) {
      pending.truncate(0); // now that the journal knows that they are in the file
      pendingWritten = false;
    }
    Row row = Row.of(origin, embedding, shape.type());
    row.writeTo(new DataOutputStream(pending));
    add(row);
  }

  private void add(Row row) {
    id.add(row.origin().id(), shape.id());
    if (row.origin().page() == 0) page.addNull();
    else page.add(encoded(row.origin().page()));
    for (int i = 0; i < carried.size(); i++) carried.get(i).add(row.origin().carried().get(i), shape.carried().get(i).type());
    for (int i = 0; i < image.size(); i++) {
      if (row.image().isEmpty()) image.get(i).addNull();
      else image.get(i).add(encoded(row.image().get(i)));
    }
    Vectors values = row.vectors();
    if (scales != null) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      for (float scale : values.scales()) Plain.writeInt(bytes, Float.floatToRawIntBits(scale));
      add(scales, bytes.toByteArray(), values.rows(), 1);
    }
    if (fixed) {
      add(vectors, values.values(), values.rows(), 1);
    } else {
      byte[] elements = elements(values.values());
      int count = shape.type() == VectorType.BINARY ? shape.type().bytes(shape.dimensions()) : shape.dimensions();
      if (shape.multiVector()) vectors.add(elements, values.rows(), count);
      else vectors.add(elements, 1, count);
    }
    groupRows++;
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
    for (PartFile part : List.of(file, pending, groups)) part.sync();
    return Json.MAPPER.createObjectNode().put("bytes", file.length()).put("groups", groups.length())
        .put("pending", pendingWritten ? 0 : pending.length());
  }

  private void endGroup() throws IOException {
    long begin = file.length();
    List<ColumnChunk> chunks = new ArrayList<>();
    for (ParquetColumn column : schema.columns()) chunks.add(column.writeTo(file));
    RowGroup group = new RowGroup(chunks, file.length() - begin, groupRows);
    group.setFile_offset(begin);
    group.setTotal_compressed_size(file.length() - begin);
    Util.writeFileMetaData(footer(List.of(group)), groups);
    groupRows = 0;
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
