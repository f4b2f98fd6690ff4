package io.embed4j.cli.input;

import java.io.IOException;
import java.util.Map;

/** Items that are read from a stream of bytes, line by line. */
abstract class StreamItems implements Items {
  /** What remains to be read. */
  final Lines lines;
  private final Stream stream;

  StreamItems(Stream stream, int maxLineBytes) {
    this.stream = stream;
    this.lines = stream.lines(maxLineBytes);
  }

  @Override
  public boolean ready() throws IOException {
    return lines.ready();
  }

  @Override
  public void resume(Cursor cursor) throws IOException {
    lines.resume(cursor);
  }

  @Override
  public Map<String, String> identity() throws IOException {
    return stream.identity();
  }

  @Override
  public long size() {
    return stream.size();
  }

  @Override
  public long done(Cursor cursor) {
    return cursor.bytes();
  }

  @Override
  public boolean sizeInBytes() {
    return true;
  }

  @Override
  public void close() throws IOException {
    lines.close();
  }
}
