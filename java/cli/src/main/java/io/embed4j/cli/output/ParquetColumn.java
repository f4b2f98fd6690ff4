package io.embed4j.cli.output;

import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.cli.input.Column;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.zip.CRC32;
import org.apache.parquet.format.ColumnChunk;
import org.apache.parquet.format.ColumnMetaData;
import org.apache.parquet.format.CompressionCodec;
import org.apache.parquet.format.DataPageHeader;
import org.apache.parquet.format.Encoding;
import org.apache.parquet.format.PageHeader;
import org.apache.parquet.format.PageType;
import org.apache.parquet.format.Type;
import org.apache.parquet.format.Util;

/**
 * The values of one column of a row group, as pages: PLAIN, uncompressed (vectors do not compress), a page about a mebibyte,
 * rows never cut.
 */
final class ParquetColumn {
  private static final int PAGE_BYTES = 1 << 20;

  private final List<String> path;
  private final Type type;
  private final int lists;
  private final boolean optional;
  private final ByteArrayOutputStream chunk = new ByteArrayOutputStream();
  private final ByteArrayOutputStream values = new ByteArrayOutputStream();
  private final Levels repetition = new Levels();
  private final Levels definition = new Levels();
  private int bits; // of booleans that fill no byte yet
  private int bitCount;
  private int pageValues;
  private long chunkValues;

  /**
   * An empty column.
   *
   * @param path of names in the schema
   * @param lists how many the values lie in, one inside the other; none is empty
   * @param optional the value of a row may be missing; of a list it may not
   */
  ParquetColumn(List<String> path, Type type, int lists, boolean optional) {
    this.path = path;
    this.type = type;
    this.lists = lists;
    this.optional = optional;
  }

  /** Bytes that it holds. */
  long size() {
    return chunk.size() + values.size();
  }

  /** Adds a row without a value. */
  void addNull() {
    definition.add(0, 1);
    added(1);
  }

  /** Adds a row of a value of so many encoded bytes. */
  void add(byte[] value) {
    values.writeBytes(value);
    if (optional) definition.add(1, 1);
    added(1);
  }

  /** Adds a row of a list, or of a list of lists: outer * inner encoded values. */
  void add(byte[] encoded, int outer, int inner) {
    values.writeBytes(encoded);
    int count = Math.multiplyExact(outer, inner);
    definition.add(lists, count);
    for (int i = 0; i < outer; i++) {
      repetition.add(i == 0 ? 0 : 1, 1);
      if (inner > 1) repetition.add(lists, inner - 1);
    }
    added(count);
  }

  /** Adds a row of a carried value, or of an id. */
  void add(JsonNode value, Column.Type kind) {
    if (value.isNull()) {
      addNull();
      return;
    }
    ByteArrayOutputStream encoded = new ByteArrayOutputStream();
    switch (kind) {
      case BOOLEAN -> { // eight to a byte, the first in the lowest bit
        if (value.booleanValue()) bits |= 1 << (bitCount & 7);
        if ((++bitCount & 7) == 0) endBits();
      }
      case INT -> Plain.writeInt(encoded, value.intValue());
      case LONG -> Plain.writeLong(encoded, value.longValue());
      case FLOAT -> Plain.writeInt(encoded, Float.floatToRawIntBits(value.floatValue()));
      case DOUBLE -> Plain.writeLong(encoded, Double.doubleToRawLongBits(value.doubleValue()));
      case TEXT -> writeBytes(encoded, (value.isTextual() ? value.textValue() : value.toString()).getBytes(StandardCharsets.UTF_8));
      case BYTES -> writeBytes(encoded, bytes(value));
    }
    add(encoded.toByteArray());
  }

  private void endBits() {
    values.write(bits);
    bits = 0;
    bitCount = 0;
  }

  private static byte[] bytes(JsonNode value) {
    try {
      return value.binaryValue();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void writeBytes(ByteArrayOutputStream out, byte[] bytes) {
    Plain.writeInt(out, bytes.length);
    out.writeBytes(bytes);
  }

  private void added(int count) {
    pageValues = Math.addExact(pageValues, count);
    if (values.size() >= PAGE_BYTES || pageValues >= PAGE_BYTES) endPage();
  }

  private void endPage() {
    if (pageValues == 0) return;
    if (bitCount > 0) endBits();
    ByteArrayOutputStream page = new ByteArrayOutputStream();
    if (lists > 0) repetition.writeTo(page);
    if (lists > 0 || optional) definition.writeTo(page);
    page.writeBytes(values.toByteArray());
    values.reset();
    CRC32 crc = new CRC32();
    crc.update(page.toByteArray());
    PageHeader header = new PageHeader(PageType.DATA_PAGE, page.size(), page.size());
    header.setCrc((int) crc.getValue());
    header.setData_page_header(new DataPageHeader(pageValues, Encoding.PLAIN, Encoding.RLE, Encoding.RLE));
    try {
      Util.writePageHeader(header, chunk);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    chunk.writeBytes(page.toByteArray());
    chunkValues += pageValues;
    pageValues = 0;
  }

  /** Writes all pages at the end of a file, says where they are, and begins anew. */
  ColumnChunk writeTo(PartFile file) {
    endPage();
    long offset = file.length();
    file.write(chunk.toByteArray(), 0, chunk.size());
    ColumnMetaData data = new ColumnMetaData(type, List.of(Encoding.PLAIN, Encoding.RLE), path, CompressionCodec.UNCOMPRESSED,
        chunkValues, chunk.size(), chunk.size(), offset);
    ColumnChunk described = new ColumnChunk(0);
    described.setMeta_data(data);
    chunk.reset();
    chunkValues = 0;
    return described;
  }
}
