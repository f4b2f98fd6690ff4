package io.embed4j.cli.output;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * An array of NumPy's .npy format, version 1.0, that grows by rows: its header has a fixed size and gets the number of rows
 * at the end (numpy.lib.format).
 */
final class NpyFile implements Closeable {
  private static final int HEADER = 128;

  private final PartFile file;
  private final String type;
  private final int columns;

  /**
   * Opens the array to begin, or to go on.
   *
   * @param type such as {@code <f4}
   * @param columns of a matrix; 0: an array of one dimension
   * @param length that was synced; 0: begin
   */
  NpyFile(Path path, String type, int columns, long length) throws IOException {
    this.file = PartFile.open(path, length);
    this.type = type;
    this.columns = columns;
    if (length == 0) file.write(header(0));
  }

  /** Adds bytes of whole rows. */
  void write(byte[] rows) throws IOException {
    file.write(rows);
  }

  /** Adds an int64 row. */
  void write(long value) throws IOException {
    file.write(ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
  }

  /** Adds float32 rows. */
  void write(float[] values) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    file.write(bytes.array());
  }

  /** Hands everything so far to the disk and returns the length. */
  long sync() {
    file.sync();
    return file.length();
  }

  /** Says how many rows there are. */
  void finish(long rows) throws IOException {
    file.patch(0, header(rows));
    file.sync();
  }

  private byte[] header(long rows) {
    String shape = columns == 0 ? "(" + rows + ",)" : "(" + rows + ", " + columns + ")";
    String header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
    String padded = header + " ".repeat(HEADER - 10 - header.length() - 1) + "\n";
    return ByteBuffer.allocate(HEADER).order(ByteOrder.LITTLE_ENDIAN).put((byte) 0x93)
        .put("NUMPY".getBytes(StandardCharsets.US_ASCII)).put((byte) 1).put((byte) 0).putShort((short) (HEADER - 10))
        .put(padded.getBytes(StandardCharsets.US_ASCII)).array();
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
