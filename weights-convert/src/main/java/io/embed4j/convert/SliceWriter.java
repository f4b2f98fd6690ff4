package io.embed4j.convert;

import io.embed4j.EmbeddingException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Writes GGUF files on a few threads. Each takes the next slice of rows, reads it as float32, encodes it and writes it
 * to its place in the file, so memory is constant whatever the model and the order of the slices does not matter.
 */
final class SliceWriter {
  /** Values of a slice, unless one row has more: 4 MiB as float32. */
  private static final long SLICE_VALUES = 1 << 20;

  private final int threads;
  private final Progress progress;
  private final long total;
  private long done;

  /** @param total bytes of all files that will be written */
  SliceWriter(int threads, Progress progress, long total) {
    this.threads = threads;
    this.progress = progress;
    this.total = total;
  }

  private record Slice(OutputTensor tensor, long first, int rows, long offset) {}

  /** Writes one file and forces it to disk. Interrupting the calling thread ends it with code cancelled. */
  void write(FileContents file, Path path) {
    try (FileChannel out = FileChannel.open(path, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)) {
      writeFully(out, ByteBuffer.wrap(file.header()), 0);
      advance(file.header().length);
      writeSlices(file, out);
      long padding = file.bytes() - out.size();
      writeFully(out, ByteBuffer.allocate((int) padding), out.size());
      out.force(true);
    } catch (IOException e) {
      throw Failure.io("write", path, e);
    }
    advance(file.paddingBytes());
  }

  private void writeSlices(FileContents file, FileChannel out) throws IOException {
    Queue<Slice> slices = slices(file);
    ExecutorService pool = Executors.newFixedThreadPool(threads, Thread.ofPlatform().name("convert-", 0).factory());
    try {
      List<Future<?>> workers = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        workers.add(pool.submit(() -> {
          try {
            drain(slices, out);
          } finally {
            slices.clear(); // empty already, unless this thread failed: then the others stop too
          }
          return null;
        }));
      }
      for (Future<?> worker : workers) worker.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Failure.cancelled();
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case IOException io -> throw io;
        case RuntimeException runtime -> throw runtime;
        case Error error -> throw error;
        default -> throw new EmbeddingException(EmbeddingException.INTERNAL, e.getCause().toString(), e.getCause());
      }
    } finally {
      stop(pool);
    }
  }

  /** No thread may still write when the caller deletes the file. */
  private static void stop(ExecutorService pool) {
    pool.shutdownNow();
    boolean interrupted = Thread.interrupted();
    try {
      while (!pool.awaitTermination(1, TimeUnit.HOURS)) Thread.onSpinWait();
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) Thread.currentThread().interrupt();
  }

  private Queue<Slice> slices(FileContents file) {
    Queue<Slice> slices = new ConcurrentLinkedQueue<>();
    for (int i = 0; i < file.tensors().size(); i++) {
      OutputTensor tensor = file.tensors().get(i);
      long step = tensor.slice(SLICE_VALUES);
      long offset = file.offsets().get(i);
      for (long first = 0; first < tensor.rows(); first += step) {
        int rows = (int) Math.min(step, tensor.rows() - first);
        slices.add(new Slice(tensor, first, rows, offset));
        offset += tensor.bytes(rows);
      }
    }
    return slices;
  }

  private void drain(Queue<Slice> slices, FileChannel out) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      Scratch scratch = new Scratch(new Memory(arena), new Memory(arena), new Memory(arena));
      for (Slice slice; (slice = slices.poll()) != null; ) {
        if (Thread.currentThread().isInterrupted()) throw Failure.cancelled();
        write(slice, scratch, out);
      }
    }
  }

  /** What a slice is on its way: float32, rows of its type, panels. */
  private record Scratch(Memory floats, Memory rows, Memory panels) {}

  /** Memory that grows as needed; what it held is lost. */
  private static final class Memory {
    private final Arena arena;
    private MemorySegment segment = MemorySegment.NULL;

    Memory(Arena arena) {
      this.arena = arena;
    }

    MemorySegment of(long bytes) {
      if (segment.byteSize() < bytes) segment = arena.allocate(Math.max(bytes, 4 * SLICE_VALUES), 64);
      return segment.asSlice(0, bytes);
    }
  }

  private void write(Slice slice, Scratch scratch, FileChannel out) throws IOException {
    OutputTensor tensor = slice.tensor;
    MemorySegment floats = scratch.floats.of(4 * slice.rows * tensor.cols());
    MemorySegment rows = scratch.rows.of(slice.rows * tensor.type().rowBytes(tensor.cols()));
    tensor.source().read(slice.first, slice.rows, floats);
    try {
      tensor.type().quantize(floats, slice.rows, tensor.cols(), rows);
    } catch (EmbeddingException e) {
      CheckpointTensor source = tensor.source().tensor();
      throw new EmbeddingException(EmbeddingException.BAD_MODEL, source.where() + ": " + source.name() + ": of "
          + tensor.name() + ", counting rows from " + slice.first + ", " + e.getMessage(), e);
    }
    MemorySegment encoded = rows;
    if (tensor.packed()) {
      encoded = scratch.panels.of(tensor.bytes(slice.rows));
      tensor.type().pack(rows, slice.rows, tensor.cols(), encoded);
    }
    writeFully(out, encoded.asByteBuffer(), slice.offset);
    advance(encoded.byteSize());
  }

  private static void writeFully(FileChannel out, ByteBuffer buffer, long position) throws IOException {
    while (buffer.hasRemaining()) out.write(buffer, position + buffer.position());
  }

  private synchronized void advance(long bytes) {
    done += bytes;
    progress.at(done, total);
  }
}
