package io.embed4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.EmbeddingException;

/**
 * One input: a text, or an error in its place.
 *
 * @param id given back as it came; JSON null when the line has none
 * @param text null when error is set
 * @param task label of the line's own task, or null
 * @param prompt label of the line's own prompt, or null
 * @param error why the line gives no text, or null
 */
record Item(JsonNode id, String text, String task, String prompt, EmbeddingException error) {

  static Item text(JsonNode id, String text) {
    return new Item(id, text, null, null, null);
  }

  static Item error(JsonNode id, String code, String message) {
    return new Item(id, null, null, null, new EmbeddingException(code, message));
  }
}
