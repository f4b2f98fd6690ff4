package io.embed4j.ffm;

import io.embed4j.EmbeddingException;
import java.lang.foreign.MemorySegment;

/** Workspace for one call at a time: the caller takes turns. */
public final class NativeSession extends Handle {
  private final Functions functions;

  NativeSession(MemorySegment address, Functions functions) {
    super("the session", address, functions.sessionClose);
    this.functions = functions;
  }

  /**
   * Runs one batch: one downcall. On failure the outputs are undefined and the session stays usable.
   *
   * @throws EmbeddingException with the native status' code
   */
  public void embed(BatchBuffer buffer) {
    use(session -> {
      Calls.check(buffer.error,
          error -> (int) functions.embed.invokeExact(session, buffer.batch, buffer.result, error));
      return null;
    });
  }
}
