package io.embed4j.batch;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.embed4j.EmbeddingException;
import io.embed4j.ffm.BatchBuffer;
import io.embed4j.ffm.NativeModel;
import io.embed4j.ffm.NativeSession;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A session of a native model with the memory of its batches: one at a time, from any thread; only {@link #stop} may be called
 * meanwhile.
 */
final class Lane {
  private static final float[] NO_ROWS = {};

  private final NativeModel model;
  private final NativeModel.Info info;
  private final BatchBuffer buffer;
  private NativeSession session; // null: not opened yet
  private volatile boolean stopped;

  /** A lane; in the background: its batches have the threads only while no others want them. */
  Lane(NativeModel model, NativeModel.Info info, boolean background) {
    this.model = model;
    this.info = info;
    this.buffer = new BatchBuffer(info, background);
  }

  /** Takes what the session needs now rather than with the first batch. */
  void openSession() {
    if (session == null) session = model.openSession();
  }

  List<Vectors> run(List<Sequence> sequences, StopSignal stop) {
    checkOpen();
    Runnable cancel = buffer::cancel;
    buffer.arm(); // before anybody is asked whether to go on, so that no later answer is undone
    stop.add(cancel);
    try {
      checkOpen();
      openSession();
      int[] order = byAdapter(sequences);
      write(sequences, order);
      session.embed(buffer);
      return read(sequences, order);
    } catch (EmbeddingException e) {
      if (e.code().equals(EmbeddingException.CANCELLED)) checkOpen();
      throw e;
    } finally {
      stop.remove(cancel);
    }
  }

  /**
   * The order in which sequences go into a batch: those of one adapter follow each other, so that a layer's products with adapters
   * are as few as there are adapters. A vector does not depend on its sequence's place.
   *
   * @return indices of sequences
   */
  static int[] byAdapter(List<Sequence> sequences) {
    if (sequences.size() == 1) return new int[1];
    return IntStream.range(0, sequences.size()).boxed().sorted(Comparator.comparingInt(i -> sequences.get(i).adapter()))
        .mapToInt(Integer::intValue).toArray();
  }

  private void checkOpen() {
    if (stopped) throw new IllegalStateException("the model is closed");
  }

  /** Ends the batch in flight, and all later ones, with IllegalStateException. */
  void stop() {
    stopped = true;
    buffer.cancel();
  }

  /** Frees the session; once, with no batch in flight. */
  void close() {
    if (session != null) session.close();
    buffer.close();
  }

  private static BatchBuffer.Shape shape(List<Sequence> sequences) {
    int tokens = 0;
    int images = 0;
    int patches = 0;
    int imageTokens = 0;
    int pooled = 0;
    int ranges = 0;
    int rows = 0;
    for (Sequence sequence : sequences) {
      tokens = Math.addExact(tokens, sequence.length());
      pooled += sequence.pooled().size();
      if (sequence.rows() != null) {
        ranges++;
        rows += sequence.rows().length();
      }
      if (sequence.image() != null) {
        images++;
        patches = Math.addExact(patches, sequence.image().grid().patches());
        imageTokens += sequence.image().tokens();
      }
    }
    return new BatchBuffer.Shape(tokens, sequences.size(), images, patches, imageTokens, pooled, ranges, rows);
  }

  /** Writes value after value into an array of ints. */
  private static final class Ints {
    private final MemorySegment array;
    private long next;

    Ints(MemorySegment array) {
      this.array = array;
    }

    void put(int value) {
      array.setAtIndex(JAVA_INT, next++, value);
    }
  }

  private void write(List<Sequence> sequences, int[] order) {
    BatchBuffer.Shape shape = shape(sequences);
    buffer.reset(shape);
    Ints cuSeqlens = new Ints(buffer.cuSeqlens());
    Ints adapters = new Ints(buffer.adapters());
    Ints gridThw = new Ints(buffer.gridThw());
    Ints imageRows = new Ints(buffer.imageRows());
    Ints pooled = new Ints(buffer.pooledRanges());
    Ints rows = new Ints(buffer.multiVectorRanges());
    int at = 0;
    long patchBytes = 0;
    for (int index : order) {
      Sequence sequence = sequences.get(index);
      cuSeqlens.put(at);
      adapters.put(sequence.adapter());
      MemorySegment.copy(sequence.tokenIds(), 0, buffer.tokenIds(), JAVA_INT, 4L * at, sequence.length());
      writePositions(sequence, at, shape.tokens());
      Sequence.Image image = sequence.image();
      if (image != null) {
        MemorySegment.copy(image.patches(), 0, buffer.patches(), patchBytes, image.patches().byteSize());
        patchBytes += image.patches().byteSize();
        gridThw.put(image.grid().temporal());
        gridThw.put(image.grid().height());
        gridThw.put(image.grid().width());
        for (int i = 0; i < image.tokens(); i++) imageRows.put(at + image.firstToken() + i);
      }
      for (Sequence.Range range : sequence.pooled()) {
        pooled.put(at + range.begin());
        pooled.put(at + range.end());
      }
      if (sequence.rows() != null) {
        rows.put(at + sequence.rows().begin());
        rows.put(at + sequence.rows().end());
      }
      at += sequence.length();
    }
    cuSeqlens.put(at);
  }

  private void writePositions(Sequence sequence, int at, int tokens) {
    for (int axis = 0; axis < 3; axis++) {
      long offset = 4L * ((long) axis * tokens + at);
      if (sequence.image() != null) {
        MemorySegment.copy(sequence.image().positions()[axis], 0, buffer.positionIds(), JAVA_INT, offset, sequence.length());
      } else { // of text: temporal, height and width are equal
        for (int i = 0; i < sequence.length(); i++) buffer.positionIds().set(JAVA_INT, offset + 4L * i, i);
      }
    }
  }

  private List<Vectors> read(List<Sequence> sequences, int[] order) {
    Vectors[] vectors = new Vectors[order.length];
    long pooledAt = 0;
    long rowsAt = 0;
    for (int index : order) {
      Sequence sequence = sequences.get(index);
      List<float[]> pooled = new ArrayList<>(sequence.pooled().size());
      for (int i = 0; i < sequence.pooled().size(); i++) {
        float[] mean = new float[sequence.dimensions()];
        MemorySegment.copy(buffer.pooled(), JAVA_FLOAT, pooledAt, mean, 0, mean.length);
        pooled.add(finite(mean));
        pooledAt += 4L * info.hiddenSize();
      }
      float[] rows = NO_ROWS;
      if (sequence.rows() != null) {
        rows = new float[Math.multiplyExact(sequence.rows().length(), info.multiVectorDim())];
        MemorySegment.copy(buffer.multiVectors(), JAVA_FLOAT, rowsAt, rows, 0, rows.length);
        rowsAt += 4L * rows.length;
      }
      vectors[index] = new Vectors(pooled, finite(rows));
    }
    return List.of(vectors);
  }

  /** NaN or infinity can only come from weights that hold or overflow to them. */
  private static float[] finite(float[] vector) {
    for (float value : vector) {
      if (!Float.isFinite(value)) {
        throw new EmbeddingException(EmbeddingException.BAD_MODEL,
            "the model gave " + value + " for this item: its weights are damaged or out of range");
      }
    }
    return vector;
  }
}
