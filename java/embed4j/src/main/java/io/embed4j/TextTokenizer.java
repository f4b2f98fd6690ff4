package io.embed4j;

import io.embed4j.ffm.GgufFile;
import io.embed4j.model.ModelFiles;
import io.embed4j.model.TextFile;
import io.embed4j.tokenizer.Tokenizer;
import java.nio.file.Path;

/** A model's tokenizer alone, opened without its weights. Thread-safe. */
public final class TextTokenizer {
  private final Tokenizer tokenizer;

  private TextTokenizer(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  /**
   * Reads the tokenizer from a model's text file.
   *
   * @param path a converted directory or a text GGUF
   * @throws EmbeddingException {@link EmbeddingException#IO_ERROR}, {@link EmbeddingException#BAD_MODEL},
   *     {@link EmbeddingException#UNSUPPORTED} when it is not the Qwen2 tokenizer
   */
  public static TextTokenizer open(Path path) {
    Path text = ModelFiles.textPath(path);
    try (GgufFile file = GgufFile.open(text)) {
      return new TextTokenizer(new TextFile(file).tokenizer());
    }
  }

  /**
   * The token ids of a text, nothing added before or after.
   *
   * @param special true: special tokens written out in the text are recognised, as the checkpoint's tokenizer does; false:
   *     they are ordinary characters
   * @throws EmbeddingException {@link EmbeddingException#INVALID_ARGUMENT} at an unpaired surrogate, naming its index
   */
  public int[] encode(String text, boolean special) {
    try {
      return tokenizer.encode(text, special);
    } catch (IllegalArgumentException e) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, e.getMessage(), e);
    }
  }
}
