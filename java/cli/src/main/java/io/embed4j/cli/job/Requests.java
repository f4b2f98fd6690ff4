package io.embed4j.cli.job;

import io.embed4j.EmbeddingRequest;
import io.embed4j.PdfDocument;
import io.embed4j.cli.input.Item;
import io.embed4j.cli.input.Source;

/** What is asked of the model for an item. Called from several threads; throws EmbeddingException for the item's error. */
public interface Requests {
  /** For a text. */
  EmbeddingRequest text(Item item, String text);

  /** For a picture. */
  EmbeddingRequest picture(Item item, Source source);

  /** For a page, from 1. */
  EmbeddingRequest page(Item item, PdfDocument pdf, int page);

  /** Bytes of memory that a picture needs from being decoded to being written, about. */
  long pictureBytes();

  /** Bytes of the vectors of a text of so many characters, at most about. */
  long vectorBytes(long characters);
}
