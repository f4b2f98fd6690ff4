package io.embed4j.cli.output;

import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.cli.input.Column;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.CheckedOutputStream;
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
 * rows never cut. The pages are kept until the group ends, but those of one column, the vectors: they go into the file at
 * once, so that they lie before all others of their group.
 */
final class ParquetColumn {
  private static final int PAGE_BYTES = 1 << 20;

  private final List<String> path;
  private final Type type;
  private final int lists;
  private final boolean optional;
  private final PartFile file;
  private final ByteArrayOutputStream kept; // pages; null: they go into the file at once
  private final ByteArrayOutputStream values = new ByteArrayOutputStream();
  private final Levels repetition = new Levels();
  private final Levels definition = new Levels();
  private int bits; // of booleans that fill no byte yet
  private int bitCount;
  private int pageValues;
  private long chunkValues; // in whole pages
  private long chunkBegin; // in the file, of pages that are not kept

  /**
   * An empty column.
   *
   * @param path of names in the schema
   * @param lists how many the values lie in, one inside the other; none is empty
   * @param optional the value of a row may be missing; of a list it may not
   * @param keep pages until the row group ends
   */
  ParquetColumn(List<String> path, Type type, int lists, boolean optional, PartFile file, boolean keep) {
    this.path = path;
    this.type = type;
    this.lists = lists;
    this.optional = optional;
    this.file = file;
    this.kept = keep ? new ByteArrayOutputStream() : null;
  }

  /** Bytes of the row group so far. */
  long size() {
    return pageBytes() + values.size();
  }

  private long pageBytes() {
    if (kept != null) return kept.size();
    return chunkValues == 0 ? 0 : file.length() - chunkBegin;
  }

  /** Whether no page is begun. */
  boolean betweenPages() {
    return pageValues == 0;
  }

  /** Where the pages that are in the file begin. */
  long begin() {
    return chunkBegin;
  }

  /** Goes on behind pages of so many values, which are in the file from there to its end. */
  void resume(long begin, long count) {
    chunkBegin = begin;
    chunkValues = count;
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
    if (kept == null && chunkValues == 0) chunkBegin = file.length();
    ByteArrayOutputStream levels = new ByteArrayOutputStream();
    if (lists > 0) repetition.writeTo(levels);
    if (lists > 0 || optional) definition.writeTo(levels);
    int bytes = Math.addExact(levels.size(), values.size());
    PageHeader header = new PageHeader(PageType.DATA_PAGE, bytes, bytes);
    header.setData_page_header(new DataPageHeader(pageValues, Encoding.PLAIN, Encoding.RLE, Encoding.RLE));
    try {
      CheckedOutputStream sum = new CheckedOutputStream(OutputStream.nullOutputStream(), new CRC32());
      levels.writeTo(sum);
      values.writeTo(sum);
      header.setCrc((int) sum.getChecksum().getValue());
      OutputStream pages = kept == null ? file : kept;
      Util.writePageHeader(header, pages);
      levels.writeTo(pages);
      values.writeTo(pages);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    values.reset();
    chunkValues += pageValues;
    pageValues = 0;
  }

  /** Puts the pages that are not there yet at the end of the file, says where they are, and begins anew. */
  ColumnChunk end() throws IOException {
    endPage();
    long bytes = pageBytes();
    long begin = chunkBegin;
    if (kept != null) {
      begin = file.length();
      kept.writeTo(file);
      kept.reset();
    }
    ColumnMetaData data = new ColumnMetaData(type, List.of(Encoding.PLAIN, Encoding.RLE), path, CompressionCodec.UNCOMPRESSED,
        chunkValues, bytes, bytes, begin);
    ColumnChunk described = new ColumnChunk(0);
    described.setMeta_data(data);
    chunkValues = 0;
    return described;
  }
}
