package io.embed4j.cli.input;

import dev.hardwood.InputFile;
import io.embed4j.cli.base.UnusableException;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * A Parquet file that is read, not mapped: one that is cut while it is mapped ends the process (SIGBUS) when native code
 * decompresses from there. Thread-safe once opened.
 */
final class FileRanges implements InputFile {
  private final Path file;
  private FileChannel channel;
  private long size;

  FileRanges(Path file) {
    this.file = file;
  }

  @Override
  public void open() throws IOException {
    if (channel != null) return;
    channel = FileChannel.open(file);
    size = channel.size();
  }

  /** What cannot be read of a file that has another length than when it was opened is no damage of some of its rows. */
  void requireUnchanged() {
    try {
      if (channel.size() == size) return;
      throw new UnusableException(file + " had " + size + " bytes and has " + channel.size() + ": it was changed while it was read",
          null);
    } catch (IOException e) {
      throw new UnusableException("cannot read " + file + ": " + e.getMessage(), e);
    }
  }

  @Override
  public ByteBuffer readRange(long offset, int length) throws IOException {
    if (offset < 0 || length < 0 || offset > channel.size() - length) {
      throw new IndexOutOfBoundsException("bytes " + offset + " to " + (offset + length) + " of " + channel.size());
    }
    ByteBuffer bytes = ByteBuffer.allocate(length);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes, offset + bytes.position()) < 0) throw new EOFException(file + " was cut while it was read");
    }
    return bytes.flip();
  }

  @Override
  public long length() throws IOException {
    return channel.size();
  }

  @Override
  public String name() {
    return file.toString();
  }

  @Override
  public void close() throws IOException {
    if (channel != null) channel.close();
  }
}
