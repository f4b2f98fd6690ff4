package io.embed4j.cli;

import io.embed4j.Embedding;
import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.Outcome;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * Requests on their way through the model, and the lines that their outcomes become, in the order they were added. It runs
 * by itself before the vectors would take much memory.
 */
final class Batch {
  /** Of request and error one is null. */
  private record Entry(Origin origin, EmbeddingRequest request, EmbeddingException error) {}

  private final EmbeddingModel model;
  private final JsonLinesWriter out;
  private final Progress progress;
  private final List<Entry> entries = new ArrayList<>();
  private long weight;
  private boolean failed;

  Batch(EmbeddingModel model, JsonLinesWriter out, Progress progress) {
    this.model = model;
    this.out = out;
    this.progress = progress;
  }

  /** Says that an input turned out to be so many more. */
  void expect(long more) {
    progress.expect(more);
  }

  /** Adds a request that counts as so many characters. */
  void add(Origin origin, EmbeddingRequest request, long characters) {
    entries.add(new Entry(origin, request, null));
    weight += characters;
    if (entries.size() >= Items.CHUNK_ITEMS || weight >= Items.CHUNK_CHARS) run();
  }

  /** Adds the error that is the outcome of an input. */
  void fail(Origin origin, EmbeddingException error) {
    entries.add(new Entry(origin, null, error));
  }

  /** Embeds what was added and writes every line. */
  void run() {
    List<Outcome> outcomes = model.embedAll(entries.stream().map(Entry::request).filter(Objects::nonNull).toList());
    int next = 0;
    for (Entry entry : entries) {
      write(entry.origin, entry.error == null ? outcomes.get(next++) : new Outcome.Failure(entry.error));
    }
    out.flush();
    progress.step(entries.size());
    entries.clear();
    weight = 0;
  }

  /** Whether any input failed. */
  boolean failed() {
    return failed;
  }

  private void write(Origin origin, Outcome outcome) {
    switch (outcome) {
      case Outcome.Success(Embedding embedding) -> out.embedding(origin, embedding);
      case Outcome.Failure(EmbeddingException error) -> {
        failed = true;
        out.error(origin, error);
      }
    }
  }
}
