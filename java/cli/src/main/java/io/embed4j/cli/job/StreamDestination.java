package io.embed4j.cli.job;

import io.embed4j.Embedding;
import io.embed4j.EmbeddingException;
import io.embed4j.Outcome;
import io.embed4j.cli.output.JsonLines;
import io.embed4j.cli.output.Shape;

/** JSON lines to standard output, a pipe or a device: an item that failed has its error in its place. */
final class StreamDestination implements Destination {
  private final JsonLines lines;
  private final Shape shape;

  StreamDestination(JsonLines lines, Shape shape) {
    this.lines = lines;
    this.shape = shape;
  }

  @Override
  public void write(Unit unit, Outcome outcome) {
    switch (outcome) {
      case Outcome.Success(Embedding embedding) -> lines.embedding(unit.origin(), shape, embedding);
      case Outcome.Failure(EmbeddingException error) -> lines.error(unit.origin(), error);
    }
  }

  @Override
  public void pause() {
    lines.flush();
  }

  @Override
  public void end(boolean complete) {
    lines.flush();
  }

  @Override
  public void close() {
    lines.close();
  }
}
