package io.embed4j.cli.input;

import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.EmbeddingException;
import java.util.List;

/**
 * One input: what to embed, or an error in its place.
 *
 * @param id given back as it came; JSON null when the item has none
 * @param task label of the item's own task, or null
 * @param prompt label of the item's own prompt, or null
 * @param carried values that go into the output, one for each of {@link Items#carried}
 */
public record Item(JsonNode id, Content content, String task, String prompt, Place place, List<JsonNode> carried) {
  /** What an item holds. */
  public sealed interface Content {
    /** A text. */
    record Text(String text) implements Content {}

    /** A picture. */
    record Picture(Source source) implements Content {}

    /** Pages of a PDF, such as 1-3,7; null: all. */
    record Pdf(Source source, String pages) implements Content {}

    /** Why the item gives nothing to embed. */
    record Failed(EmbeddingException error) implements Content {}
  }

  /** Of no settings of its own, and nothing to carry. */
  static Item of(JsonNode id, Content content, Place place) {
    return new Item(id, content, null, null, place, List.of());
  }

  static Item error(JsonNode id, String code, String message, Place place) {
    return of(id, new Content.Failed(new EmbeddingException(code, message)), place);
  }

  /** Characters or bytes that it holds in memory. */
  public long length() {
    return switch (content) {
      case Content.Text(String text) -> text.length();
      case Content.Picture(Source source) -> source.length();
      case Content.Pdf(Source source, String pages) -> source.length();
      case Content.Failed failed -> 0;
    };
  }
}
