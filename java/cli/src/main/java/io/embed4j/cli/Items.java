package io.embed4j.cli;

import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A stream of inputs, read in chunks: bounded memory for files, no waiting for more when a person or a pipe pauses. */
interface Items extends Closeable {
  int CHUNK_ITEMS = 256;
  int CHUNK_CHARS = 1 << 20;

  /** The next input, or null after the last. */
  Item next() throws IOException;

  /** Whether the next input can be had without waiting. */
  boolean ready() throws IOException;

  /** The next inputs, at least one; empty after the last. */
  default List<Item> chunk() throws IOException {
    List<Item> chunk = new ArrayList<>();
    long weight = 0;
    while (chunk.isEmpty() || (chunk.size() < CHUNK_ITEMS && weight < CHUNK_CHARS && ready())) {
      Item item = next();
      if (item == null) break;
      chunk.add(item);
      weight += item.weight();
    }
    return chunk;
  }
}
