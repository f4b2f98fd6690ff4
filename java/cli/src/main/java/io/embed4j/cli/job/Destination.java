package io.embed4j.cli.job;

import io.embed4j.Outcome;
import java.io.Closeable;
import java.io.IOException;

/** Where outcomes go, in input order. Not thread-safe. */
sealed interface Destination extends Closeable permits FileDestination, StreamDestination {
  /** Adds an outcome, which is in the tally already. */
  void write(Unit unit, Outcome outcome) throws IOException;

  /** Called between batches, when nothing is half done. */
  void pause() throws IOException;

  /** Makes what was written last, now that there is nothing more or the job is to stop. */
  void end(boolean complete) throws IOException;
}
