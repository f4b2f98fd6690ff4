package io.embed4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.EmbeddingException;

/**
 * One input: what to embed, or an error in its place.
 *
 * @param id given back as it came; JSON null when the line has none
 * @param task label of the line's own task, or null
 * @param prompt label of the line's own prompt, or null
 */
record Item(JsonNode id, Content content, String task, String prompt) {
  /** What a picture or a page counts beside characters of text: its vectors take as much memory. */
  static final int PICTURE_CHARS = 1 << 16;

  /** What an item holds. */
  sealed interface Content {
    /** A text. */
    record Text(String text) implements Content {}

    /** A picture. */
    record Picture(Source source) implements Content {}

    /** Pages of a PDF, such as 1-3,7; null: all. */
    record Pdf(Source source, String pages) implements Content {}

    /** Why the line gives nothing to embed. */
    record Failed(EmbeddingException error) implements Content {}
  }

  /** An argument of a command that reads texts only. */
  static Item text(JsonNode id, String text) {
    return new Item(id, new Content.Text(text), null, null);
  }

  /** An argument of a command that reads pictures and PDFs, too: its extension tells. */
  static Item textOrFile(JsonNode id, String argument) {
    Content content = Source.namesPicture(argument) ? new Content.Picture(new Source(argument))
        : Source.namesPdf(argument) ? new Content.Pdf(new Source(argument), null)
        : new Content.Text(argument);
    return new Item(id, content, null, null);
  }

  static Item error(JsonNode id, String code, String message) {
    return new Item(id, new Content.Failed(new EmbeddingException(code, message)), null, null);
  }

  /** How much of a chunk it fills, in characters; pages of a PDF are counted as they come. */
  long weight() {
    return switch (content) {
      case Content.Text(String text) -> text.length();
      case Content.Picture(Source source) -> PICTURE_CHARS + source.reference().length();
      case Content.Pdf(Source source, String pages) -> source.reference().length();
      case Content.Failed failed -> 0;
    };
  }
}
