package io.embed4j.batch;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.embed4j.EmbeddingException;
import io.embed4j.ffm.BatchBuffer;
import io.embed4j.ffm.NativeModel;
import io.embed4j.ffm.NativeSession;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/**
 * Runs batches on an open native model, one at a time per device: a batch uses all of a device, so a second one beside it
 * would only take turns with it. Callers queue fairly, virtual threads without holding a carrier. Thread-safe.
 */
public final class Engine implements AutoCloseable {
  private static final float[] NO_ROWS = {};

  /** A session with the memory of its batches; the native side spreads sessions over the devices. */
  private record Lane(NativeSession session, BatchBuffer buffer) {}

  private final NativeModel model;
  private final NativeModel.Info info;
  private final List<Lane> lanes = new ArrayList<>();
  private final BlockingQueue<Lane> idle;
  private volatile boolean closed;

  /** Opens the model's files; closes what it opened when that fails. */
  public Engine(NativeModel.Params params) {
    this.model = NativeModel.open(params);
    this.info = model.info();
    try {
      for (int i = 0; i < info.numDevices(); i++) lanes.add(new Lane(model.openSession(), new BatchBuffer(info)));
    } catch (RuntimeException e) {
      closeAll();
      throw e;
    }
    this.idle = new ArrayBlockingQueue<>(lanes.size(), true, lanes);
  }

  /** The model's sizes. */
  public NativeModel.Info info() {
    return info;
  }

  /**
   * Runs one batch, waiting for its turn.
   *
   * @return one result per sequence
   * @throws IllegalStateException when closed, also while waiting or running
   * @throws EmbeddingException {@link EmbeddingException#CANCELLED} when interrupted while waiting, with the thread's
   *     interrupt status set again; or what the native call reports
   */
  public List<Vectors> run(List<Sequence> sequences) {
    Lane lane;
    try {
      lane = idle.take();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new EmbeddingException(EmbeddingException.CANCELLED, "interrupted while waiting for the model", e);
    }
    try {
      checkOpen();
      write(lane.buffer, sequences);
      lane.session.embed(lane.buffer);
      return read(lane.buffer, sequences);
    } catch (EmbeddingException e) {
      if (e.code().equals(EmbeddingException.CANCELLED)) checkOpen();
      throw e;
    } finally {
      idle.add(lane);
    }
  }

  /** @throws IllegalStateException when closed */
  public void checkOpen() {
    if (closed) throw new IllegalStateException("the model is closed");
  }

  /**
   * Stops the batches in flight at their next layer, waits for them and frees the model. Their callers and those waiting get
   * {@link IllegalStateException}. A second call waits for the first and does nothing.
   */
  @Override
  public synchronized void close() {
    if (closed) return;
    closed = true;
    for (Lane lane : lanes) lane.buffer.cancel();
    boolean interrupted = false;
    for (int taken = 0; taken < lanes.size();) {
      try {
        idle.take();
        taken++;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    closeAll();
    idle.addAll(lanes); // for those who wait, to see that it is closed
    if (interrupted) Thread.currentThread().interrupt();
  }

  private void closeAll() {
    for (Lane lane : lanes) {
      lane.session.close();
      lane.buffer.close();
    }
    model.close();
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

  private static void write(BatchBuffer buffer, List<Sequence> sequences) {
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
    for (Sequence sequence : sequences) {
      cuSeqlens.put(at);
      adapters.put(sequence.adapter());
      MemorySegment.copy(sequence.tokenIds(), 0, buffer.tokenIds(), JAVA_INT, 4L * at, sequence.length());
      writePositions(buffer, sequence, at, shape.tokens());
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

  private static void writePositions(BatchBuffer buffer, Sequence sequence, int at, int tokens) {
    for (int axis = 0; axis < 3; axis++) {
      long offset = 4L * ((long) axis * tokens + at);
      if (sequence.image() != null) {
        MemorySegment.copy(sequence.image().positions()[axis], 0, buffer.positionIds(), JAVA_INT, offset, sequence.length());
      } else { // of text: temporal, height and width are equal
        for (int i = 0; i < sequence.length(); i++) buffer.positionIds().set(JAVA_INT, offset + 4L * i, i);
      }
    }
  }

  private List<Vectors> read(BatchBuffer buffer, List<Sequence> sequences) {
    List<Vectors> vectors = new ArrayList<>(sequences.size());
    long pooledAt = 0;
    long rowsAt = 0;
    for (Sequence sequence : sequences) {
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
      vectors.add(new Vectors(pooled, finite(rows)));
    }
    return vectors;
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
