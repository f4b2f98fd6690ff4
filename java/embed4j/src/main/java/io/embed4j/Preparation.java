package io.embed4j;

import io.embed4j.EmbeddingRequest.Content;
import io.embed4j.batch.Sequence;
import io.embed4j.image.ImageException;
import io.embed4j.image.ImageGrid;
import io.embed4j.image.ImagePositions;
import io.embed4j.image.ImageProcessor;
import io.embed4j.image.RgbImage;
import io.embed4j.model.ModelFiles;
import io.embed4j.model.VisionFile;
import io.embed4j.pooling.Matryoshka;
import io.embed4j.prompt.ImagePrompt;
import io.embed4j.prompt.TextPrompt;
import io.embed4j.tokenizer.Tokenizer;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** From requests to sequences of tokens and patches: everything that is checked and done before a batch. Thread-safe. */
final class Preparation {
  private final ModelInfo info;
  private final Tokenizer tokenizer;
  private final Matryoshka sizes;
  /** The tasks in the order of the native model's adapters; empty for a lone text file. */
  private final List<Task> adapters;
  private final Optional<Task> mergedTask;
  private final VisionFile vision; // null: no vision tower
  private final ImagePrompt imagePrompt;

  Preparation(ModelFiles files, ModelOptions options, Tokenizer tokenizer, Matryoshka sizes) {
    this.info = files.info();
    this.tokenizer = tokenizer;
    this.sizes = sizes;
    this.adapters = List.copyOf(files.adapters().keySet());
    this.mergedTask = Optional.ofNullable(options.mergedTask()).or(info::mergedTask);
    this.vision = files.vision() == null ? null : VisionFile.read(files.vision());
    this.imagePrompt = vision == null ? null : imagePrompt(files);
  }

  private ImagePrompt imagePrompt(ModelFiles files) {
    try {
      return new ImagePrompt(tokenizer, vision.imageTokenId(), vision.startTokenId(), vision.endTokenId());
    } catch (IllegalArgumentException e) {
      throw new EmbeddingException(EmbeddingException.BAD_MODEL,
          files.vision() + " and the tokenizer of " + files.text() + " do not fit: " + e.getMessage(), e);
    }
  }

  /** Checks everything about a request but its text or picture. */
  void check(EmbeddingRequest request) {
    adapter(request.task());
    if (request.multiVector()) {
      if (info.multiVectorDim() == 0) throw unsupported("multi-vector output", "multivector.gguf");
      if (request.dimensions() != 0) {
        throw invalid("dimensions is " + request.dimensions() + ", but multi-vector rows have one size only, "
            + info.multiVectorDim());
      }
      if (!request.normalized()) throw invalid("multi-vector rows always have length 1: normalized(false) is for dense vectors");
    } else if (request.dimensions() != 0) {
      sizes.check(request.dimensions(), info.hiddenSize());
    }
    limit(request);
    switch (request.content()) {
      case Content.Text text -> { }
      case Content.Tokens tokens -> { }
      case Content.Image image -> processor(request);
      case Content.Chunks chunks -> {
        if (request.multiVector()) throw invalid("late chunking gives a dense vector per chunk, not multi-vectors");
        if (request.truncate()) throw invalid("a text to be chunked is not truncated: chunks would be lost");
      }
    }
  }

  /** Checks a request, tokenises its text or decodes and cuts up its picture. */
  PreparedRequest prepare(EmbeddingRequest request) {
    check(request);
    return switch (request.content()) {
      case Content.Text(String text) -> text(request, tokenizer.encode(
          TextPrompt.of(request.task(), request.prompt(), text), request.specialTokens()));
      case Content.Tokens(int[] ids) -> text(request, known(ids));
      case Content.Image(ImageInput input) -> image(request, input);
      case Content.Chunks chunks -> chunks(request, chunks);
    };
  }

  /** The text of a token. */
  String tokenText(int id) {
    return tokenizer.text(id);
  }

  private int[] known(int[] ids) {
    if (ids.length == 0) throw invalid("there are no tokens, expected at least one");
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] < 0 || ids[i] >= info.vocabSize()) {
        throw invalid("token " + i + " is " + ids[i] + ", expected 0 .. " + (info.vocabSize() - 1));
      }
    }
    return ids;
  }

  private PreparedRequest text(EmbeddingRequest request, int[] ids) {
    int limit = limit(request);
    boolean truncated = ids.length > limit;
    if (truncated) {
      if (!request.truncate()) throw tooLong("text", ids.length, limit, "; ask for truncation to embed its first " + limit);
      ids = Arrays.copyOf(ids, limit);
    }
    Sequence.Range all = new Sequence.Range(0, ids.length);
    return prepared(request, ids, null, all, all, new Usage(ids.length, truncated, Optional.empty()));
  }

  private PreparedRequest image(EmbeddingRequest request, ImageInput input) {
    ImageProcessor processor = processor(request);
    RgbImage image = input.read(processor.maxPixels());
    try {
      ImageGrid grid = processor.grid(image.width(), image.height());
      int merge = processor.mergeSize();
      int tokens = grid.tokens(merge);
      int[] ids = imagePrompt.ids(tokens);
      int limit = limit(request);
      if (ids.length > limit) throw tooLong("picture", ids.length, limit, "; lower maxPixels");
      MemorySegment patches = MemorySegment.ofArray(new float[Math.multiplyExact(grid.patches(), processor.patchValues())]);
      processor.patches(image, patches);
      int[][] positions = ImagePositions.of(ids, vision.imageTokenId(), List.of(grid), merge);
      int first = imagePrompt.firstToken();
      Sequence.Image part = new Sequence.Image(patches, grid, first, tokens, positions);
      boolean imageOnly = request.imageTokensOnly();
      Sequence.Range rows = imageOnly ? new Sequence.Range(first, first + tokens) : new Sequence.Range(0, ids.length);
      PatchGrid place = new PatchGrid(grid.height() / merge, grid.width() / merge, imageOnly ? 0 : first);
      // From vision start to vision end, both included.
      return prepared(request, ids, part, new Sequence.Range(first - 1, first + tokens + 1), rows,
          new Usage(ids.length, false, Optional.of(place)));
    } catch (ImageException e) {
      throw ImageInput.error(e);
    }
  }

  private PreparedRequest prepared(EmbeddingRequest request, int[] ids, Sequence.Image image, Sequence.Range pooled,
      Sequence.Range rows, Usage usage) {
    boolean multi = request.multiVector();
    Sequence sequence = new Sequence(ids, adapter(request.task()), image, multi ? List.of() : List.of(pooled), dimensions(request),
        multi ? rows : null);
    return new PreparedRequest(this, sequence, usage, request.normalized(), multi, false);
  }

  private PreparedRequest chunks(EmbeddingRequest request, Content.Chunks chunks) {
    List<int[]> pieces = new ArrayList<>();
    int[] ends = new int[chunks.pieces().size() + 1]; // tokens before each piece, and the total
    for (int i = 0; i < chunks.pieces().size(); i++) {
      String piece = chunks.pieces().get(i);
      TextPrompt.checkPaired(piece);
      String prefix = i == 0 ? TextPrompt.prefix(request.task(), request.prompt()) : "";
      pieces.add(tokenizer.encode(prefix + piece, request.specialTokens()));
      ends[i + 1] = Math.addExact(ends[i], pieces.getLast().length);
    }
    int[] ids = new int[ends[ends.length - 1]];
    for (int i = 0; i < pieces.size(); i++) System.arraycopy(pieces.get(i), 0, ids, ends[i], pieces.get(i).length);
    int limit = limit(request);
    if (ids.length > limit) throw tooLong("text to be chunked", ids.length, limit, "");
    List<Sequence.Range> ranges = new ArrayList<>();
    for (TextSpan range : chunks.ranges()) {
      if (ends[range.begin()] == ends[range.end()]) {
        throw invalid("chunk " + ranges.size() + " has no token: its text is empty");
      }
      ranges.add(new Sequence.Range(ends[range.begin()], ends[range.end()]));
    }
    Sequence sequence = new Sequence(ids, adapter(request.task()), null, ranges, dimensions(request), null);
    return new PreparedRequest(this, sequence, new Usage(ids.length, false, Optional.empty()), request.normalized(), false, true);
  }

  private int dimensions(EmbeddingRequest request) {
    return request.dimensions() == 0 ? info.hiddenSize() : request.dimensions();
  }

  private ImageProcessor processor(EmbeddingRequest request) {
    if (vision == null) throw unsupported("embedding pictures", "vision.gguf");
    ImageProcessor own = vision.processor();
    if (request.minPixels() == 0 && request.maxPixels() == 0) return own;
    long max = request.maxPixels() == 0 ? own.maxPixels() : request.maxPixels();
    long min = request.minPixels() == 0 ? Math.min(own.minPixels(), max) : request.minPixels();
    try {
      return own.withPixels(min, max);
    } catch (IllegalArgumentException e) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, e.getMessage(), e);
    }
  }

  private int limit(EmbeddingRequest request) {
    int most = Math.min(EmbeddingModel.MAX_TOKENS, info.maxPositionEmbeddings());
    if (request.maxTokens() < 0 || request.maxTokens() > most) {
      throw invalid("maxTokens is " + request.maxTokens() + ", expected 1 .. " + most + ", or 0 for that limit");
    }
    return request.maxTokens() == 0 ? most : request.maxTokens();
  }

  private int adapter(Task task) {
    int index = adapters.indexOf(task);
    if (index >= 0) return index;
    if (!adapters.isEmpty()) throw unsupported("the task " + task, ModelFiles.adapterName(task));
    if (mergedTask.isEmpty()) {
      throw new EmbeddingException(EmbeddingException.UNSUPPORTED, info.path() + " has no adapters, and its name does not "
          + "say which task is merged into its weights: open the whole converted directory, or name the task when opening "
          + "it (ModelOptions.mergedTask, --merged-task)");
    }
    if (mergedTask.get() != task) {
      throw new EmbeddingException(EmbeddingException.UNSUPPORTED, "the task " + task + " is not served: " + info.path()
          + " has no adapters and serves " + mergedTask.get() + ", which is merged into its weights");
    }
    return -1;
  }

  private static EmbeddingException tooLong(String what, int tokens, int limit, String remedy) {
    return new EmbeddingException(EmbeddingException.TOO_LONG,
        "the " + what + " has " + tokens + " tokens with its prompt, the limit is " + limit + remedy);
  }

  private EmbeddingException unsupported(String what, String file) {
    return new EmbeddingException(EmbeddingException.UNSUPPORTED,
        what + " is not available: " + info.path() + " comes without " + file);
  }

  private static EmbeddingException invalid(String message) {
    return new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, message);
  }
}
