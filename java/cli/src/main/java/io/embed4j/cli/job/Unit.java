package io.embed4j.cli.job;

import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.PreparedRequest;
import io.embed4j.cli.input.Cursor;
import io.embed4j.cli.input.Item;
import io.embed4j.cli.output.Origin;
import java.util.function.Function;

/** One row on its way to the output: an item, or a page of one. Handed from thread to thread, never shared. */
final class Unit {
  private static final long PATCH_BYTES = 4704;

  private final Item item;
  private final int page;
  private final Cursor after;
  private final Preparation preparation;
  private long weight;
  private PreparedRequest prepared;
  private EmbeddingException error;

  /** Makes the request and prepares it, in a thread of the pool. */
  interface Preparation extends Function<EmbeddingModel, PreparedRequest> {}

  /**
   * A row to come.
   *
   * @param page from 1; 0: the whole item
   * @param after where reading goes on when this is done
   * @param weight bytes that it takes in memory, about
   */
  Unit(Item item, int page, Cursor after, long weight, Preparation preparation) {
    this.item = item;
    this.page = page;
    this.after = after;
    this.weight = weight;
    this.preparation = preparation;
  }

  /** An item that failed already. */
  static Unit failed(Item item, EmbeddingException error) {
    return new Unit(item, 0, item.place().after(), 0, model -> {
      throw error;
    });
  }

  /** A defect or too little memory costs this item, not the job. */
  void prepare(EmbeddingModel model) {
    try {
      prepared = preparation.apply(model);
      if (prepared.patches() > 0) weight = Math.min(weight, item.length() + PATCH_BYTES * prepared.patches());
    } catch (EmbeddingException e) {
      error = e;
    } catch (OutOfMemoryError e) {
      error = new EmbeddingException(EmbeddingException.OUT_OF_MEMORY, "too little memory to prepare it: " + e.getMessage(), e);
    } catch (RuntimeException e) {
      error = new EmbeddingException(EmbeddingException.INTERNAL, "cannot be prepared: " + e, e);
    }
  }

  /** Null when it failed. */
  PreparedRequest prepared() {
    return prepared;
  }

  /** Null when it did not fail. */
  EmbeddingException error() {
    return error;
  }

  Origin origin() {
    return new Origin(item.id(), page, item.carried());
  }

  Item item() {
    return item;
  }

  int page() {
    return page;
  }

  Cursor after() {
    return after;
  }

  long weight() {
    return weight;
  }
}
