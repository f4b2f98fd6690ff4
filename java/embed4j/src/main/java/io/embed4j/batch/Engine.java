package io.embed4j.batch;

import io.embed4j.EmbeddingException;
import io.embed4j.ffm.NativeModel;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs batches on an open native model, one at a time per device and, in the gaps, one in the background: a batch uses all of
 * a device, so a second one beside it would only take turns with it. Callers queue fairly. Thread-safe.
 */
public final class Engine implements AutoCloseable {
  private final NativeModel model;
  private final NativeModel.Info info;
  private final List<Lane> lanes = new ArrayList<>(); // the native side spreads their sessions over the devices
  private final Turns normal;
  private final Turns background;
  private volatile boolean closed;

  /** Opens the model's files; closes what it opened when that fails. */
  public Engine(NativeModel.Params params) {
    this.model = NativeModel.open(params);
    this.info = model.info();
    try {
      for (int i = 0; i < info.numDevices(); i++) {
        lanes.add(new Lane(model, info, false));
        lanes.getLast().openSession();
      }
    } catch (RuntimeException e) {
      closeAll();
      throw e;
    }
    this.normal = new Turns(lanes);
    lanes.add(new Lane(model, info, true)); // whose session the first batch opens
    this.background = new Turns(List.of(lanes.getLast()));
  }

  /** The model's sizes. */
  public NativeModel.Info info() {
    return info;
  }

  /**
   * Runs one batch, waiting for its turn.
   *
   * @param inBackground whether it has the model's threads only while no other batch wants them
   * @param stop ends it, also while it waits
   * @return one result per sequence
   * @throws IllegalStateException when closed, also while waiting or running
   * @throws EmbeddingException {@link EmbeddingException#CANCELLED} when stopped, or when interrupted while waiting, with the
   *     thread's interrupt status set again; or what the native call reports
   */
  public List<Vectors> run(List<Sequence> sequences, boolean inBackground, StopSignal stop) {
    Turns turns = inBackground ? background : normal;
    Lane lane;
    try {
      lane = turns.take(stop);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new EmbeddingException(EmbeddingException.CANCELLED, "interrupted while waiting for the model", e);
    }
    if (lane == null) throw new EmbeddingException(EmbeddingException.CANCELLED, "cancelled by the caller");
    try {
      return lane.run(sequences, stop);
    } finally {
      turns.give(lane);
    }
  }

  /** @throws IllegalStateException when closed */
  public void checkOpen() {
    if (closed) throw new IllegalStateException("the model is closed");
  }

  /**
   * Stops the batches in flight, waits for them and frees the model. Their callers and those waiting get
   * {@link IllegalStateException}. A second call waits for the first and does nothing.
   */
  @Override
  public synchronized void close() {
    if (closed) return;
    closed = true;
    lanes.forEach(Lane::stop);
    for (int i = 0; i < info.numDevices(); i++) normal.takeUninterruptibly();
    Lane last = background.takeUninterruptibly();
    closeAll();
    for (Lane lane : lanes) (lane == last ? background : normal).give(lane); // so that those who wait see that it is closed
  }

  private void closeAll() {
    lanes.forEach(Lane::close);
    model.close();
  }
}
