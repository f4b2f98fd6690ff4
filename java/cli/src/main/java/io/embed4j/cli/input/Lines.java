package io.embed4j.cli.input;

import java.io.Closeable;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.zip.CRC32C;

/** A stream of bytes, line by line, with the place of each. Not thread-safe. */
final class Lines implements Closeable {
  private static final byte[] BYTE_ORDER_MARK = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};

  /**
   * A line without its end.
   *
   * @param bytes of UTF-8, it is hoped; null for a line longer than the limit, which was skipped
   */
  record Line(byte[] bytes, long number, Cursor before, Cursor after) {
    boolean isBlank() {
      if (bytes == null) return false;
      for (byte b : bytes) {
        if (b != ' ' && b != '\t' && b != '\r') return false;
      }
      return true;
    }

    Place place() {
      return new Place("line", number, before.bytes(), null, before, after);
    }

    /** As one item with the lines up to another. */
    Place placeTo(Line last) {
      return new Place("line", number, before.bytes(), null, before, last.after);
    }
  }

  private final InputStream in;
  private final boolean seekable;
  private final int maxLineBytes;
  private final CRC32C checksum = new CRC32C();
  private byte[] buffer = new byte[1 << 16];
  private int begin;
  private int end;
  private boolean ended;
  private Cursor cursor = Cursor.START;

  /**
   * Of a stream.
   *
   * @param seekable it is a FileInputStream of an ordinary file
   */
  Lines(InputStream in, boolean seekable, int maxLineBytes) {
    this.in = in;
    this.seekable = seekable;
    this.maxLineBytes = maxLineBytes;
  }

  /** The next line, or null after the last; blank lines too. */
  Line next() throws IOException {
    Cursor before = cursor;
    int newline = newline();
    if (newline < 0) return null;
    byte[] bytes = null;
    if (newline - begin > maxLineBytes) {
      skipLine();
    } else {
      int from = begin;
      take(Math.min(newline + 1, end));
      if (before.bytes() == 0 && startsWithMark(from, newline)) from += BYTE_ORDER_MARK.length;
      bytes = Arrays.copyOfRange(buffer, from, newline);
    }
    // The checksum goes on from line to line, over every byte read.
    cursor = new Cursor(before.items() + 1, cursor.bytes(), (int) checksum.getValue(), 0);
    return new Line(bytes, cursor.items(), before, cursor);
  }

  /** Whether a line, or the end, can be had without waiting. */
  boolean ready() throws IOException {
    for (int i = begin; i < end; i++) {
      if (buffer[i] == '\n') return true;
    }
    return ended || in.available() > 0;
  }

  /** Goes on behind the lines of an earlier run: a file is positioned, anything else read and compared. */
  void resume(Cursor to) throws IOException {
    if (seekable) { // its checksum is not asked for: a file has its fingerprint
      ((FileInputStream) in).getChannel().position(to.bytes());
      begin = 0;
      end = 0;
      ended = false;
    } else {
      while (cursor.bytes() < to.bytes() && next() != null) { }
      if (cursor.bytes() != to.bytes() || cursor.checksum() != to.checksum()) {
        throw new IOException("the first " + to.bytes() + " bytes of the input are not those that were read before: resuming "
            + "needs the same input from its beginning");
      }
    }
    cursor = to.withPages(0);
  }

  @Override
  public void close() throws IOException {
    if (in != System.in) in.close();
  }

  private void take(int to) {
    checksum.update(buffer, begin, to - begin);
    cursor = new Cursor(cursor.items(), cursor.bytes() + to - begin, 0, 0);
    begin = to;
  }

  /** The index of the newline that ends the line at begin, or of its end at the end of input; -1 when nothing is left. */
  private int newline() throws IOException {
    int at = begin;
    while (true) {
      while (at < end && buffer[at] != '\n') at++;
      if (at < end || at - begin > maxLineBytes) return at;
      if (ended) return begin < end ? end : -1;
      int seen = at - begin;
      fill();
      at = begin + seen;
    }
  }

  private void fill() throws IOException {
    if (begin > 0) {
      System.arraycopy(buffer, begin, buffer, 0, end - begin);
      end -= begin;
      begin = 0;
    }
    if (end == buffer.length) buffer = Arrays.copyOf(buffer, (int) Math.min(2L * buffer.length, maxLineBytes + 65_536L));
    int read = in.read(buffer, end, buffer.length - end);
    if (read < 0) ended = true;
    else end += read;
  }

  private void skipLine() throws IOException {
    while (true) {
      int at = begin;
      while (at < end && buffer[at] != '\n') at++;
      take(Math.min(at + 1, end));
      if (at < end || ended) return;
      fill();
    }
  }

  private boolean startsWithMark(int from, int to) {
    return to - from >= 3 && Arrays.equals(buffer, from, from + 3, BYTE_ORDER_MARK, 0, 3);
  }
}
