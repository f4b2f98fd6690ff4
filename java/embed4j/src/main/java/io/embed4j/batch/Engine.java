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
import java.util.concurrent.locks.ReentrantLock;

/**
 * Runs batches on an open native model, one at a time: a batch uses all of the model's threads, so a second one beside it
 * would only take turns with it. Callers queue fairly on a lock that parks virtual threads without holding a carrier.
 * Thread-safe.
 */
public final class Engine implements AutoCloseable {
  private final NativeModel model;
  private final NativeSession session;
  private final BatchBuffer buffer;
  private final NativeModel.Info info;
  private final ReentrantLock turn = new ReentrantLock(true);
  private volatile boolean closed;

  /** Opens the model's files; closes what it opened when that fails. */
  public Engine(NativeModel.Params params) {
    this.model = NativeModel.open(params);
    try {
      this.info = model.info();
      this.session = model.openSession();
    } catch (RuntimeException e) {
      model.close();
      throw e;
    }
    this.buffer = new BatchBuffer(info.hiddenSize(), info.multiVectorDim());
  }

  /** The model's sizes. */
  public NativeModel.Info info() {
    return info;
  }

  /**
   * Runs one batch, waiting for its turn.
   *
   * @return per sequence: the mean hidden state [hidden_size], not normalised; or the rows [n][multi_vector_dim], each of
   *     length 1
   * @throws IllegalStateException when closed, also while waiting or running
   * @throws EmbeddingException {@link EmbeddingException#CANCELLED} when interrupted while waiting, with the thread's
   *     interrupt status set again; or what the native call reports
   */
  public List<float[]> run(List<Sequence> sequences) {
    try {
      turn.lockInterruptibly();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new EmbeddingException(EmbeddingException.CANCELLED, "interrupted while waiting for the model", e);
    }
    try {
      checkOpen();
      write(sequences);
      session.embed(buffer);
      return read(sequences);
    } catch (EmbeddingException e) {
      if (e.code().equals(EmbeddingException.CANCELLED)) checkOpen();
      throw e;
    } finally {
      turn.unlock();
    }
  }

  /** @throws IllegalStateException when closed */
  public void checkOpen() {
    if (closed) throw new IllegalStateException("the model is closed");
  }

  /**
   * Stops the batch in flight at its next layer, waits for it and frees the model. Its callers and those waiting get
   * {@link IllegalStateException}. A second call waits for the first and does nothing.
   */
  @Override
  public synchronized void close() {
    if (closed) return;
    closed = true;
    buffer.cancel();
    turn.lock();
    try {
      session.close();
      buffer.close();
      model.close();
    } finally {
      turn.unlock();
    }
  }

  private void write(List<Sequence> sequences) {
    int tokens = 0;
    int multiVectorRanges = 0;
    int multiVectorRows = 0;
    for (Sequence sequence : sequences) {
      tokens = Math.addExact(tokens, sequence.tokenIds().length);
      if (!sequence.multiVector()) continue;
      multiVectorRanges++;
      multiVectorRows += sequence.tokenIds().length;
    }
    int pooled = sequences.size() - multiVectorRanges;
    buffer.reset(new BatchBuffer.Shape(tokens, sequences.size(), pooled, multiVectorRanges, multiVectorRows));
    int at = 0;
    int pooledAt = 0;
    int multiVectorAt = 0;
    for (int i = 0; i < sequences.size(); i++) {
      Sequence sequence = sequences.get(i);
      int length = sequence.tokenIds().length;
      buffer.cuSeqlens().setAtIndex(JAVA_INT, i, at);
      buffer.adapters().setAtIndex(JAVA_INT, i, sequence.adapter());
      MemorySegment.copy(sequence.tokenIds(), 0, buffer.tokenIds(), JAVA_INT, 4L * at, length);
      for (int position = 0; position < length; position++) {
        for (int axis = 0; axis < 3; axis++) { // of text: temporal, height and width are equal
          buffer.positionIds().setAtIndex(JAVA_INT, (long) axis * tokens + at + position, position);
        }
      }
      MemorySegment ranges = sequence.multiVector() ? buffer.multiVectorRanges() : buffer.pooledRanges();
      int range = sequence.multiVector() ? multiVectorAt++ : pooledAt++;
      ranges.setAtIndex(JAVA_INT, 2L * range, at);
      at += length;
      ranges.setAtIndex(JAVA_INT, 2L * range + 1, at);
    }
    buffer.cuSeqlens().setAtIndex(JAVA_INT, sequences.size(), at);
  }

  private List<float[]> read(List<Sequence> sequences) {
    List<float[]> vectors = new ArrayList<>(sequences.size());
    long pooledAt = 0;
    long multiVectorAt = 0;
    for (Sequence sequence : sequences) {
      if (sequence.multiVector()) {
        long bytes = 4L * sequence.tokenIds().length * info.multiVectorDim();
        vectors.add(finite(buffer.multiVectors().asSlice(multiVectorAt, bytes).toArray(JAVA_FLOAT)));
        multiVectorAt += bytes;
      } else {
        long bytes = 4L * info.hiddenSize();
        vectors.add(finite(buffer.pooled().asSlice(pooledAt, bytes).toArray(JAVA_FLOAT)));
        pooledAt += bytes;
      }
    }
    return vectors;
  }

  /** NaN or infinity can only come from weights that hold or overflow to them. */
  private static float[] finite(float[] vector) {
    for (float value : vector) {
      if (!Float.isFinite(value)) {
        throw new EmbeddingException(EmbeddingException.BAD_MODEL,
            "the model gave " + value + " for this text: its weights are damaged or out of range");
      }
    }
    return vector;
  }
}
