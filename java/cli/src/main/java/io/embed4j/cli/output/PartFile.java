package io.embed4j.cli.output;

import io.embed4j.cli.base.UnusableException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * A file that grows at its end and is good for every byte up to a length that was synced: what lies behind it after a crash
 * is cut off. Not thread-safe.
 */
public final class PartFile extends OutputStream {
  private final Path path;
  private final FileChannel channel;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 18);
  private long length;

  private PartFile(Path path, FileChannel channel, long length) {
    this.path = path;
    this.channel = channel;
    this.length = length;
  }

  /**
   * Opens a file to go on at a length that was synced; 0 makes or empties it.
   *
   * @throws UnusableException also when the file is shorter: it is not what was written
   */
  public static PartFile open(Path path, long length) {
    try {
      FileChannel channel = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      PartFile file = new PartFile(path, channel, length);
      lock(path, channel);
      if (channel.size() < length) {
        long size = channel.size();
        file.close();
        throw new IOException("it has " + size + " bytes, expected at least " + length
            + ": it was changed since it was written");
      }
      file.truncate(length);
      return file;
    } catch (NoSuchFileException e) {
      throw new UnusableException("cannot write " + path + ": its folder does not exist", e);
    } catch (IOException e) {
      throw failed(path, e);
    }
  }

  /** Two processes that resume one job would write over each other; the lock goes with the process. */
  private static void lock(Path path, FileChannel channel) throws IOException {
    FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException e) {
      lock = null;
    } catch (IOException withoutLocks) {
      return; // some network file systems have none
    }
    if (lock == null) {
      channel.close();
      throw new UnusableException(path + " is being written by another process", null);
    }
  }

  Path path() {
    return path;
  }

  /** Bytes written, those in memory included. */
  public long length() {
    return length;
  }

  @Override
  public void write(int b) {
    if (!buffer.hasRemaining()) flush();
    buffer.put((byte) b);
    length++;
  }

  @Override
  public void write(byte[] bytes, int offset, int count) {
    length += count;
    for (int at = offset; at < offset + count;) {
      if (!buffer.hasRemaining()) flush();
      int part = Math.min(buffer.remaining(), offset + count - at);
      buffer.put(bytes, at, part);
      at += part;
    }
  }

  /** Hands everything so far to the operating system. */
  @Override
  public void flush() {
    buffer.flip();
    try {
      while (buffer.hasRemaining()) channel.write(buffer);
    } catch (IOException e) {
      throw failed(path, e);
    } finally {
      buffer.compact();
    }
  }

  /** Hands everything so far to the disk. */
  public void sync() {
    flush();
    try {
      channel.force(false);
    } catch (IOException e) {
      throw failed(path, e);
    }
  }

  /** A full disk, for one. */
  private static WriteFailedException failed(Path path, IOException e) {
    return new WriteFailedException("cannot write " + path + ": " + e.getMessage(), e);
  }

  /** Writes over bytes that lie in the file already. */
  void patch(long position, byte[] bytes) throws IOException {
    flush();
    ByteBuffer patch = ByteBuffer.wrap(bytes);
    while (patch.hasRemaining()) channel.write(patch, position + patch.position());
  }

  /** Cuts the file back to a length. */
  void truncate(long to) throws IOException {
    flush();
    channel.truncate(to);
    channel.position(to);
    length = to;
  }

  /** Bytes of the file from its beginning, those in memory included. */
  byte[] read(int count) throws IOException {
    flush();
    ByteBuffer bytes = ByteBuffer.allocate(count);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes, bytes.position()) < 0) throw new IOException(path + " ends too early");
    }
    return bytes.array();
  }

  /** Closes the file; what was not flushed is dropped. */
  @Override
  public void close() throws IOException {
    channel.close();
  }

  /** Gives a file its final name, in one step, in place of what had that name; nothing to do when that was done before. */
  public static void rename(Path part, Path name) throws IOException {
    if (Files.exists(part)) Files.move(part, name, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  /** Hands the names in a folder to the disk, where the system lets folders be opened. */
  public static void syncFolder(Path file) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    if (System.getProperty("os.name").startsWith("Windows")) return;
    try (FileChannel channel = FileChannel.open(folder)) {
      channel.force(true);
    }
  }
}
