package io.embed4j.cli.job;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.cli.base.Json;
import io.embed4j.cli.output.PartFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.zip.CRC32C;

/**
 * What a job was begun with and how far it is: lines of a checksum (CRC-32C, 8 hexadecimal digits) and a JSON object, of
 * which the first says what it was begun with and the last that is whole says how far it is. Each point is on the disk
 * before append returns, and what it counts on must be there before. Not thread-safe.
 */
final class Journal implements Closeable {
  private final PartFile file;

  private Journal(PartFile file) {
    this.file = file;
  }

  /**
   * What a journal says.
   *
   * @param begun with this
   * @param point reached last, or null
   * @param bytes up to the end of the last whole line
   */
  record Record(ObjectNode begun, ObjectNode point, long bytes) {}

  /** Reads a journal; null when there is none, or none whose first line is whole: nothing was done yet. */
  static Record read(Path path) throws IOException {
    if (!Files.exists(path)) return null;
    ObjectNode begun = null;
    ObjectNode point = null;
    long bytes = 0;
    for (String line : Files.readString(path, StandardCharsets.ISO_8859_1).split("(?<=\n)")) {
      ObjectNode object = parse(line);
      if (object == null) break;
      if (begun == null) begun = object;
      else point = object;
      bytes += line.length();
    }
    return begun == null ? null : new Record(begun, point, bytes);
  }

  /** Begins a journal, in place of what is there. */
  static Journal begin(Path path, ObjectNode begun) throws IOException {
    Journal journal = new Journal(PartFile.open(path, 0));
    journal.append(begun);
    PartFile.syncFolder(path);
    return journal;
  }

  /** Goes on behind the last whole line. */
  static Journal resume(Path path, Record record) throws IOException {
    return new Journal(PartFile.open(path, record.bytes));
  }

  /** Adds a point and hands it to the disk. */
  void append(ObjectNode point) throws IOException {
    byte[] json = Json.MAPPER.writeValueAsBytes(point); // ASCII
    file.write((checksum(json) + " ").getBytes(StandardCharsets.US_ASCII));
    file.write(json);
    file.write('\n');
    file.sync();
  }

  @Override
  public void close() throws IOException {
    file.close();
  }

  private static ObjectNode parse(String line) {
    if (line.length() < 10 || line.charAt(8) != ' ' || !line.endsWith("\n")) return null;
    byte[] json = line.substring(9, line.length() - 1).getBytes(StandardCharsets.ISO_8859_1);
    if (!line.startsWith(checksum(json))) return null;
    try {
      return (ObjectNode) Json.MAPPER.readTree(json);
    } catch (IOException | ClassCastException e) {
      return null;
    }
  }

  private static String checksum(byte[] json) {
    CRC32C crc = new CRC32C();
    crc.update(json);
    return HexFormat.of().toHexDigits((int) crc.getValue());
  }
}
