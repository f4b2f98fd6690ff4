package io.embed4j.cli.base;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Says whether a file of any size is still the same, from its size and 4 MiB of it. */
public final class Fingerprint {
  private static final int BLOCK = 64 << 10;
  private static final int BLOCKS = 64;

  private Fingerprint() {}

  /** Size and SHA-256 of 64 blocks of 64 KiB, evenly spread from the first to the last: all of a file up to 4 MiB. */
  public static String of(Path file) throws IOException {
    MessageDigest digest = sha256();
    try (FileChannel channel = FileChannel.open(file)) {
      long size = channel.size();
      long last = Math.max(0, size - BLOCK);
      ByteBuffer block = ByteBuffer.allocate(BLOCK);
      for (int i = 0; i < BLOCKS; i++) {
        long at = size <= (long) BLOCK * BLOCKS ? (long) i * BLOCK : (long) ((double) last * i / (BLOCKS - 1));
        if (at >= size) break;
        block.clear();
        while (block.hasRemaining()) {
          int read = channel.read(block, at + block.position());
          if (read < 0) break;
        }
        digest.update(block.flip());
      }
      return size + " bytes, " + hex(digest);
    }
  }

  /** SHA-256 of a text. */
  public static String of(String text) {
    MessageDigest digest = sha256();
    digest.update(text.getBytes(StandardCharsets.UTF_8));
    return hex(digest);
  }

  private static String hex(MessageDigest digest) {
    return "sha256 " + HexFormat.of().formatHex(digest.digest(), 0, 16);
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }
}
