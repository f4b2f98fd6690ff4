package io.embed4j.ffm;

import static io.embed4j.EmbeddingException.BAD_MODEL;
import static io.embed4j.EmbeddingException.CANCELLED;
import static io.embed4j.EmbeddingException.DEVICE_UNAVAILABLE;
import static io.embed4j.EmbeddingException.INTERNAL;
import static io.embed4j.EmbeddingException.INVALID_ARGUMENT;
import static io.embed4j.EmbeddingException.IO_ERROR;
import static io.embed4j.EmbeddingException.OUT_OF_MEMORY;
import static io.embed4j.EmbeddingException.UNSUPPORTED;

import io.embed4j.EmbeddingException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Every downcall that can fail goes through here: the one place from e4j_status to exception. */
final class Calls {
  /** E4J_OK. */
  private static final int OK = 0;

  private Calls() {}

  /** A downcall that returns an e4j_status and writes its text into the given e4j_error. */
  @FunctionalInterface
  interface Call {
    int invoke(MemorySegment error) throws Throwable;
  }

  /** Runs the call with a fresh e4j_error. */
  static void check(Call call) {
    try (Arena arena = Arena.ofConfined()) {
      check(Layouts.allocate(arena, Layouts.ERROR), call);
    }
  }

  /** Runs the call with an e4j_error that the caller keeps for many calls, one at a time. */
  static void check(MemorySegment error, Call call) {
    int status;
    try {
      status = call.invoke(error);
    } catch (Throwable e) {
      throw rethrown(e);
    }
    if (status != OK) throw exception(status, Layouts.getText(error, Layouts.ERROR, "message"));
  }

  /** A downcall that writes a uint64_t, and as {@link Call}. */
  @FunctionalInterface
  interface CallForLong {
    int invoke(MemorySegment out, MemorySegment error) throws Throwable;
  }

  /** Runs the call and returns what it wrote. */
  static long getLong(CallForLong call) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
      check(error -> call.invoke(out, error));
      return out.get(ValueLayout.JAVA_LONG, 0);
    }
  }

  private static EmbeddingException exception(int status, String message) {
    String code = switch (status) {
      case 1 -> INVALID_ARGUMENT;
      case 2 -> IO_ERROR;
      case 3 -> BAD_MODEL;
      case 4 -> UNSUPPORTED;
      case 5 -> OUT_OF_MEMORY;
      case 6 -> CANCELLED;
      case 8 -> DEVICE_UNAVAILABLE;
      default -> INTERNAL;
    };
    return new EmbeddingException(code, message.isEmpty() ? "native status " + status : message);
  }

  /** What invokeExact may throw, unchecked. */
  static RuntimeException rethrown(Throwable e) {
    if (e instanceof RuntimeException runtime) return runtime;
    if (e instanceof Error error) throw error;
    return new EmbeddingException(INTERNAL, e.toString(), e);
  }
}
