package io.embed4j.prompt;

import io.embed4j.tokenizer.Tokenizer;
import java.util.Arrays;

/** The turn the model was trained with around a picture. Immutable. */
public final class ImagePrompt {
  /** Of the checkpoint's processor: no system turn, one placeholder repeated once per merged patch. */
  private static final String TEXT =
      "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Describe the image.<|im_end|>\n";

  private final int[] ids;
  private final int firstToken;

  /**
   * Tokenises the turn.
   *
   * @throws IllegalArgumentException when the tokenizer does not see exactly one image, between its start and end
   */
  public ImagePrompt(Tokenizer tokenizer, int imageTokenId, int startTokenId, int endTokenId) {
    this.ids = tokenizer.encode(TEXT, true);
    int at = 0;
    while (at < ids.length && ids[at] != imageTokenId) at++;
    this.firstToken = at;
    if (at == 0 || at + 1 >= ids.length || ids[at - 1] != startTokenId || ids[at + 1] != endTokenId) {
      throw new IllegalArgumentException("the image prompt's tokens " + Arrays.toString(ids) + " do not hold "
          + startTokenId + ", " + imageTokenId + ", " + endTokenId + " side by side");
    }
  }

  /** Index of the first image token; the one before it starts the vision part. */
  public int firstToken() {
    return firstToken;
  }

  /** The ids with the placeholder repeated. */
  public int[] ids(int imageTokens) {
    int[] all = new int[ids.length - 1 + imageTokens];
    System.arraycopy(ids, 0, all, 0, firstToken);
    Arrays.fill(all, firstToken, firstToken + imageTokens, ids[firstToken]);
    System.arraycopy(ids, firstToken + 1, all, firstToken + imageTokens, ids.length - firstToken - 1);
    return all;
  }
}
