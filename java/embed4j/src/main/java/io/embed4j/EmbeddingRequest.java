package io.embed4j;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * One text, picture or page to embed and how. Immutable: each setting returns a changed copy, so a request serves as a
 * template.
 *
 * {@snippet :
 * EmbeddingRequest passage = EmbeddingRequest.text("Mars is red.").prompt(Prompt.PASSAGE).dimensions(128);
 * EmbeddingRequest page = EmbeddingRequest.image(Path.of("page.png")).multiVector(true);
 * }
 *
 * <p>A request is checked against the model when it is embedded, not here; that is also when a picture is decoded.
 */
public final class EmbeddingRequest {
  private final Content content;
  private final Task task;
  private final Prompt prompt;
  private final int dimensions;
  private final boolean multiVector;
  private final int maxTokens;
  private final boolean truncate;
  private final boolean specialTokens;
  private final long minPixels;
  private final long maxPixels;
  private final boolean imageTokensOnly;
  private final boolean normalized;

  /** What is embedded. */
  sealed interface Content {
    /** A text, without prompt. */
    record Text(String text) implements Content {}

    /** A text's tokens, prompt included; not shared. */
    record Tokens(int[] ids) implements Content {}

    /** A picture. */
    record Image(ImageInput input) implements Content {}

    /** Pieces of one long text, and the half-open ranges of pieces that get a vector each. */
    record Chunks(List<String> pieces, List<TextSpan> ranges) implements Content {}
  }

  /** The settings on their way into a request. */
  private static final class Draft {
    Content content;
    Task task = Task.RETRIEVAL;
    Prompt prompt = Prompt.QUERY;
    int dimensions;
    boolean multiVector;
    int maxTokens;
    boolean truncate;
    boolean specialTokens;
    long minPixels;
    long maxPixels;
    boolean imageTokensOnly;
    boolean normalized = true;
  }

  private EmbeddingRequest(Draft draft) {
    this.content = draft.content;
    this.task = Objects.requireNonNull(draft.task, "task");
    this.prompt = Objects.requireNonNull(draft.prompt, "prompt");
    this.dimensions = draft.dimensions;
    this.multiVector = draft.multiVector;
    this.maxTokens = draft.maxTokens;
    this.truncate = draft.truncate;
    this.specialTokens = draft.specialTokens;
    this.minPixels = draft.minPixels;
    this.maxPixels = draft.maxPixels;
    this.imageTokensOnly = draft.imageTokensOnly;
    this.normalized = draft.normalized;
  }

  private static EmbeddingRequest of(Content content) {
    Draft draft = new Draft();
    draft.content = content;
    return new EmbeddingRequest(draft);
  }

  private EmbeddingRequest with(Consumer<Draft> change) {
    Draft draft = new Draft();
    draft.content = content;
    draft.task = task;
    draft.prompt = prompt;
    draft.dimensions = dimensions;
    draft.multiVector = multiVector;
    draft.maxTokens = maxTokens;
    draft.truncate = truncate;
    draft.specialTokens = specialTokens;
    draft.minPixels = minPixels;
    draft.maxPixels = maxPixels;
    draft.imageTokensOnly = imageTokensOnly;
    draft.normalized = normalized;
    change.accept(draft);
    return new EmbeddingRequest(draft);
  }

  /** A dense embedding of a text at full size: task retrieval, prompt query. Empty text is allowed. */
  public static EmbeddingRequest text(String text) {
    return of(new Content.Text(Objects.requireNonNull(text, "text")));
  }

  /**
   * A dense embedding of these tokens at full size: task retrieval. Nothing is put before or after them, so a prompt is
   * among them if one is wanted: {@code tokens} of what {@link TextTokenizer#encode} gives for "Query: hello" is
   * {@code text("hello")}.
   *
   * @param ids [n], each 0 .. {@link ModelInfo#vocabSize} - 1, at least one; copied
   */
  public static EmbeddingRequest tokens(int[] ids) {
    return of(new Content.Tokens(ids.clone()));
  }

  /** A dense embedding of a picture or a page at full size: task retrieval. Prompts are for texts and play no part. */
  public static EmbeddingRequest image(ImageInput image) {
    return of(new Content.Image(Objects.requireNonNull(image, "image")));
  }

  /** A dense embedding of the picture in a file ({@link ImageInput#of(Path)}). */
  public static EmbeddingRequest image(Path file) {
    return image(ImageInput.of(file));
  }

  /**
   * Late chunking of a list: the texts are read as one, in this order, and each gets the mean of its own tokens, so every
   * vector knows its surroundings (Guenther et al., "Late Chunking", arXiv 2409.04701). The result is a
   * {@link ChunkedEmbedding}. The prompt's tokens count to the first text: a list of one gives what {@link #text} gives.
   *
   * @throws IllegalArgumentException when the list is empty
   */
  public static EmbeddingRequest lateChunks(List<String> texts) {
    if (texts.isEmpty()) throw new IllegalArgumentException("late chunking of no texts");
    List<TextSpan> ranges = new ArrayList<>();
    for (int i = 0; i < texts.size(); i++) ranges.add(new TextSpan(i, i + 1));
    return of(new Content.Chunks(List.copyOf(texts), List.copyOf(ranges)));
  }

  /**
   * Late chunking of spans of one text, which may overlap and leave gaps; {@link #lateChunks(List)} says what that means.
   * The text is tokenised piece by piece between the spans' ends, so that no token crosses one.
   *
   * @throws IllegalArgumentException when there is no span, or one is empty or outside the text
   */
  public static EmbeddingRequest lateChunks(String text, List<TextSpan> spans) {
    if (spans.isEmpty()) throw new IllegalArgumentException("late chunking of no spans");
    TreeSet<Integer> cuts = new TreeSet<>(List.of(0, text.length()));
    for (TextSpan span : spans) {
      if (span.end() > text.length()) {
        throw new IllegalArgumentException("the span " + span + " lies outside the text of " + text.length() + " characters");
      }
      cuts.add(span.begin());
      cuts.add(span.end());
    }
    List<Integer> ends = List.copyOf(cuts);
    List<String> pieces = new ArrayList<>();
    for (int i = 0; i + 1 < ends.size(); i++) pieces.add(text.substring(ends.get(i), ends.get(i + 1)));
    List<TextSpan> ranges = spans.stream()
        .map(span -> new TextSpan(ends.indexOf(span.begin()), ends.indexOf(span.end()))).toList();
    return of(new Content.Chunks(List.copyOf(pieces), ranges));
  }

  /** The task whose adapter is applied. */
  public EmbeddingRequest task(Task task) {
    return with(draft -> draft.task = task);
  }

  /** The side of the search. */
  public EmbeddingRequest prompt(Prompt prompt) {
    return with(draft -> draft.prompt = prompt);
  }

  /** The size of the dense vector: one of {@link ModelInfo#matryoshkaDims}, or 0 for the full size. */
  public EmbeddingRequest dimensions(int dimensions) {
    return with(draft -> draft.dimensions = dimensions);
  }

  /** True: one vector per token ({@link MultiVectorEmbedding}) in place of one for the whole. */
  public EmbeddingRequest multiVector(boolean multiVector) {
    return with(draft -> draft.multiVector = multiVector);
  }

  /** The most tokens accepted, prompt included: 1 .. {@value EmbeddingModel#MAX_TOKENS}, or 0 for that limit. */
  public EmbeddingRequest maxTokens(int maxTokens) {
    return with(draft -> draft.maxTokens = maxTokens);
  }

  /** True: a text with too many tokens keeps the first of them; false: it is an error that gives the count. */
  public EmbeddingRequest truncate(boolean truncate) {
    return with(draft -> draft.truncate = truncate);
  }

  /**
   * True: {@code <|im_end|>} and the like inside the text become the checkpoint's special tokens, as its own tokenizer
   * does; false: they are ordinary characters, since text from a user is text.
   */
  public EmbeddingRequest specialTokens(boolean specialTokens) {
    return with(draft -> draft.specialTokens = specialTokens);
  }

  /** A picture with fewer pixels is enlarged to this many; 0: the model's own min_pixels. */
  public EmbeddingRequest minPixels(long minPixels) {
    return with(draft -> draft.minPixels = minPixels);
  }

  /** A picture with more pixels is reduced to this many; 0: the model's own max_pixels. Each 28 x 28 become a token. */
  public EmbeddingRequest maxPixels(long maxPixels) {
    return with(draft -> draft.maxPixels = maxPixels);
  }

  /** True: the multi-vector of a picture has the rows of the image's tokens alone, without those of its prompt. */
  public EmbeddingRequest imageTokensOnly(boolean imageTokensOnly) {
    return with(draft -> draft.imageTokensOnly = imageTokensOnly);
  }

  /** False: a dense vector keeps the length it has before it is scaled to 1; true by default. */
  public EmbeddingRequest normalized(boolean normalized) {
    return with(draft -> draft.normalized = normalized);
  }

  Content content() {
    return content;
  }

  /** The text, without prompt; empty for tokens, a picture and late chunks. */
  public Optional<String> text() {
    return content instanceof Content.Text(String text) ? Optional.of(text) : Optional.empty();
  }

  /** The task. */
  public Task task() {
    return task;
  }

  /** The side of the search. */
  public Prompt prompt() {
    return prompt;
  }

  /** The size asked for; 0: full. */
  public int dimensions() {
    return dimensions;
  }

  /** Whether a vector per token is asked for. */
  public boolean multiVector() {
    return multiVector;
  }

  /** The limit asked for; 0: the model's. */
  public int maxTokens() {
    return maxTokens;
  }

  /** Whether a long text is cut. */
  public boolean truncate() {
    return truncate;
  }

  /** Whether special tokens are recognised inside the text. */
  public boolean specialTokens() {
    return specialTokens;
  }

  /** The pixels a picture is enlarged to; 0: the model's. */
  public long minPixels() {
    return minPixels;
  }

  /** The pixels a picture is reduced to; 0: the model's. */
  public long maxPixels() {
    return maxPixels;
  }

  /** Whether a picture's multi-vector has the rows of its image tokens alone. */
  public boolean imageTokensOnly() {
    return imageTokensOnly;
  }

  /** Whether a dense vector is scaled to length 1. */
  public boolean normalized() {
    return normalized;
  }
}
