package io.embed4j.cli;

import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.PdfDocument;
import io.embed4j.Prompt;
import io.embed4j.Task;
import io.embed4j.cli.Item.Content;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
    name = "embed",
    description = "Embed texts, pictures and pages. Writes {\"id\", \"embedding\": [...]}, {\"id\", \"embeddings\": [[...], "
        + "...]} or {\"id\", \"error\": {\"code\", \"message\"}}, in input order.",
    footer = {"", "A picture's line also has \"image_tokens\"; with --multi-vector, \"grid\": [rows, columns] of these tokens "
            + "on the picture and \"first_image_row\", the place of the first among the embeddings. A PDF gives a line with "
            + "\"page\" for each page.",
        "JSON lines: {\"id\", \"text\"}, {\"id\", \"image\": path or data: URI} or {\"id\", \"pdf\": path or data: URI, "
            + "\"pages\": \"1-3,7\"}, each with \"task\" and \"prompt\" if it wants its own. Paths are relative to the "
            + "working directory. Prompts are for texts."})
final class EmbedCommand implements Callable<Integer> {
  @Parameters(arity = "0..*", paramLabel = "TEXT|FILE",
      description = "Texts, and files: an argument that ends in .png, .jpg, .jpeg, .jpe, .webp, .tif, .tiff, .bmp, .gif or "
          + ".pdf is a file, any other a text (a text that ends so goes into --input). Their ids are 0, 1, ...")
  private List<String> inputs = List.of();

  @Mixin
  private ModelArgument model;

  @Mixin
  private InputOptions input;

  @Mixin
  private PictureOptions pictures;

  @Option(names = "--task", paramLabel = "TASK", defaultValue = "retrieval", converter = Labels.OfTask.class,
      description = "retrieval (default), text-matching or code; a line's own \"task\" goes first.")
  private Task task;

  @Option(names = "--prompt", paramLabel = "PROMPT", defaultValue = "query", converter = Labels.OfPrompt.class,
      description = "query (default) or passage; a line's own \"prompt\" goes first.")
  private Prompt prompt;

  @Option(names = "--dimensions", paramLabel = "N",
      description = "Cut dense vectors to one of the sizes that info lists; default: full size.")
  private int dimensions;

  @Option(names = "--multi-vector", description = "One vector per token; of a picture, per 28 x 28 pixels.")
  private boolean multiVector;

  @Option(names = "--image-tokens-only",
      description = "With --multi-vector: of a picture the vectors of its image tokens, without those of its prompt.")
  private boolean imageTokensOnly;

  @Option(names = "--max-tokens", paramLabel = "N", description = "Most tokens of a text; default: 32768.")
  private int maxTokens;

  @Option(names = "--truncate", description = "Keep the first tokens of a longer text; otherwise it is an error.")
  private boolean truncate;

  @Option(names = "--output", paramLabel = "FILE.jsonl|-", defaultValue = "-",
      description = "Where to write; default: standard output.")
  private String output;

  @Spec
  private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    if (imageTokensOnly && !multiVector) {
      throw new ParameterException(spec.commandLine(), "--image-tokens-only is for --multi-vector");
    }
    if (!output.equals("-")) input.requireOther(Path.of(output), inputs.stream().filter(Source::namesFile).toList());
    try (Items items = input.open(inputs, Item::textOrFile); EmbeddingModel open = model.open()) {
      Task served = servedTask(open);
      open.check(configured(EmbeddingRequest.text(""), served, prompt));
      pictures.check(open, served);
      try (JsonLinesWriter out = JsonLinesWriter.open(output);
          Progress progress = Progress.ofItems("embed", inputs.isEmpty() ? -1 : inputs.size())) {
        Batch batch = new Batch(open, out, progress);
        for (List<Item> chunk = items.chunk(); !chunk.isEmpty(); chunk = items.chunk()) {
          for (Item item : chunk) add(item, batch);
          batch.run();
        }
        return batch.failed() ? Main.SOME_FAILED : Main.DONE;
      }
    }
  }

  /** A task that the model serves: lines may name another than the option does, so that one is checked line by line. */
  private Task servedTask(EmbeddingModel open) {
    List<Task> tasks = open.info().tasks();
    return tasks.isEmpty() || tasks.contains(task) ? task : tasks.getFirst();
  }

  private void add(Item item, Batch batch) {
    Origin origin = new Origin(item.id(), 0);
    try {
      switch (item.content()) {
        case Content.Text(String text) -> batch.add(origin, configured(EmbeddingRequest.text(text), item), item.weight());
        case Content.Picture(Source source) ->
            batch.add(origin, configured(pictures.request(pictures.picture(source)), item), item.weight());
        case Content.Pdf(Source source, String pages) -> addPages(item, source, pages, batch);
        case Content.Failed(EmbeddingException error) -> throw error;
      }
    } catch (EmbeddingException e) {
      batch.fail(origin, e);
    }
  }

  /** Pages are drawn as their turn comes, so the document stays open until the last one was embedded. */
  private void addPages(Item item, Source source, String selection, Batch batch) {
    try (PdfDocument pdf = source.pdf()) {
      List<Integer> pages = pdf.pages(selection);
      batch.expect(pages.size() - 1);
      for (int page : pages) {
        EmbeddingRequest request = configured(pictures.request(pictures.page(pdf, page)), item);
        batch.add(new Origin(item.id(), page), request, Item.PICTURE_CHARS);
      }
      batch.run();
    }
  }

  private EmbeddingRequest configured(EmbeddingRequest request, Item item) {
    return configured(request, item.task() == null ? task : Task.of(item.task()),
        item.prompt() == null ? prompt : Prompt.of(item.prompt()));
  }

  private EmbeddingRequest configured(EmbeddingRequest request, Task task, Prompt prompt) {
    return request.task(task).prompt(prompt).dimensions(dimensions).multiVector(multiVector)
        .imageTokensOnly(imageTokensOnly).maxTokens(maxTokens).truncate(truncate);
  }
}
