package io.embed4j.server;

import java.util.List;

/**
 * What a request asks for.
 *
 * @param task null: the model's default
 * @param dimensions 0: full size
 * @param encodings at least one; several: each vector is an object with a member per encoding
 */
record Query(String model, List<Input> inputs, TaskName task, int dimensions, List<Encoding> encodings, boolean lateChunking,
    boolean truncate, boolean multiVector, boolean tokenizedInput, boolean normalized) {

  /** One input, and where it stands in the body. */
  sealed interface Input {
    Object[] field();

    record Text(String text, Object... field) implements Input {}

    record Tokens(int[] ids, Object... field) implements Input {}

    /** A URL, a data: URI or base64. */
    record Image(String reference, Object... field) implements Input {}

    /** A URL, a data: URI or base64. */
    record Pdf(String reference, Object... field) implements Input {}
  }
}
