package io.embed4j.server;

import io.embed4j.EmbeddingException;
import java.util.List;

/** Why a request gets no embeddings. Its message goes to the client, so it names no path of this machine. */
final class RequestException extends Exception {
  private static final long serialVersionUID = 1L;

  private final Problem problem;
  private final transient List<Object> field;
  private final long retryAfterSeconds;

  private RequestException(Problem problem, String message, List<Object> field, long retryAfterSeconds) {
    super(message, null, false, false);
    this.problem = problem;
    this.field = field;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /**
   * An error.
   *
   * @param field where in the body: names and indices, outermost first; none for the whole
   */
  static RequestException of(Problem problem, String message, Object... field) {
    return new RequestException(problem, message, List.of(field), 0);
  }

  /** An overload, with the time after which to try again. */
  static RequestException busy(Problem problem, String message, long retryAfterSeconds) {
    return new RequestException(problem, message, List.of(), retryAfterSeconds);
  }

  /** What the library says of one input. Messages about files of this machine are not passed on. */
  static RequestException of(EmbeddingException e, Object... field) {
    return switch (e.code()) {
      case EmbeddingException.TOO_LONG -> of(Problem.TOO_MANY_TOKENS, e.getMessage(), field);
      case EmbeddingException.INVALID_ARGUMENT, EmbeddingException.BAD_IMAGE, EmbeddingException.BAD_PDF,
          EmbeddingException.UNSUPPORTED_IMAGE, EmbeddingException.IMAGE_LIMIT ->
          of(Problem.INVALID, e.getMessage().replaceAll("\\b\\w+(Exception|Error): ", ""), field);
      case EmbeddingException.UNSUPPORTED -> of(Problem.INVALID, "this model does not support what is asked for here", field);
      case EmbeddingException.OUT_OF_MEMORY -> busy(Problem.UNAVAILABLE, "not enough memory for this input now", 10);
      case EmbeddingException.CANCELLED -> of(Problem.UNAVAILABLE, "the server is stopping");
      default -> of(Problem.INTERNAL, "internal error", field);
    };
  }

  Problem problem() {
    return problem;
  }

  List<Object> field() {
    return field;
  }

  /** 0: no advice. */
  long retryAfterSeconds() {
    return retryAfterSeconds;
  }
}
