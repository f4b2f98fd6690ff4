package io.embed4j.cli.input;

/**
 * Where to go on reading.
 *
 * @param items lines, rows or files that were read, the faulty ones too
 * @param bytes of the input that were read, for inputs that are read byte by byte
 * @param checksum CRC-32C of these bytes
 * @param pages of the next item that are done already
 */
public record Cursor(long items, long bytes, int checksum, int pages) {
  /** Before the first item. */
  public static final Cursor START = new Cursor(0, 0, 0, 0);

  /** After so many items that have no bytes to count. */
  public static Cursor after(long items) {
    return new Cursor(items, 0, 0, 0);
  }

  /** The same with so many pages of the next item done. */
  public Cursor withPages(int pages) {
    return new Cursor(items, bytes, checksum, pages);
  }
}
