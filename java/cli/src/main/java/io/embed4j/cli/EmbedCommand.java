package io.embed4j.cli;

import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ModelInfo;
import io.embed4j.PdfDocument;
import io.embed4j.Prompt;
import io.embed4j.Task;
import io.embed4j.cli.base.Fingerprint;
import io.embed4j.cli.input.Item;
import io.embed4j.cli.input.Items;
import io.embed4j.cli.input.Source;
import io.embed4j.cli.job.Job;
import io.embed4j.cli.job.JobFiles;
import io.embed4j.cli.job.Requests;
import io.embed4j.cli.output.JsonLines;
import io.embed4j.cli.output.Shape;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
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
    description = "Embed texts, pictures and pages: arguments, a corpus in a file, or the files of a folder. Writes {\"id\", "
        + "\"embedding\": [...]}, {\"id\", \"embeddings\": [[...], ...]} or {\"id\", \"error\": {\"code\", \"message\"}}, in "
        + "input order; or a file, in which each item is exactly once whatever happens on the way.",
    footer = {"", "A picture's line also has \"image_tokens\"; with --multi-vector, \"grid\": [rows, columns] of these tokens "
            + "on the picture and \"first_image_row\", the place of the first among the embeddings. A PDF gives a line with "
            + "\"page\" for each page.",
        "JSON lines: {\"id\", \"text\"}, {\"id\", \"image\": path or data: URI} or {\"id\", \"pdf\": path or data: URI, "
            + "\"pages\": \"1-3,7\"}, each with \"task\" and \"prompt\" if it wants its own. Tables have columns of the same "
            + "names. Paths are relative to the working directory. Prompts are for texts.",
        "A file grows as FILE.part beside FILE.progress and gets its name when it is complete. Killed, stopped by Ctrl-C or out "
            + "of disk, the same command with --resume goes on. Items that fail go to FILE.errors.jsonl: {\"id\", \"position\", "
            + "\"code\", \"message\"}; on standard output, a pipe or a device their error stands in their place.",
        "Beside FILE.npy lie FILE.ids.jsonl, of multi-vectors FILE.offsets.npy (where each item begins, and the end), of int8 "
            + "FILE.scales.npy."})
final class EmbedCommand implements Callable<Integer>, Requests {
  private static final long DENSE_BYTES = 4 * 2048;
  private static final long MULTI_VECTOR_BYTES = 4 * 128; // a token has a character at the least

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

  @Mixin
  private OutputOptions output;

  @Spec
  private CommandSpec spec;

  @Override
  public Integer call() throws Exception {
    if (imageTokensOnly && !multiVector) {
      throw new ParameterException(spec.commandLine(), "--image-tokens-only is for --multi-vector");
    }
    output.check();
    if (!output.output().equals("-")) {
      input.requireOther(Path.of(output.output()), inputs.stream().filter(Source::namesFile).toList());
    }
    if (!output.isStream() && output.files().check(output.start())) {
      spec.commandLine().getErr().println("embed4j: " + output.output() + " is complete");
      return output.files().someFailed() ? Main.SOME_FAILED : Main.DONE;
    }
    try (Items items = input.open(inputs, true); EmbeddingModel open = model.open()) {
      Task served = servedTask(open);
      open.check(configured(EmbeddingRequest.text(""), served, prompt));
      pictures.check(open, served);
      return switch (run(items, open)) {
        case Job.End.Complete(boolean someFailed) -> someFailed ? Main.SOME_FAILED : Main.DONE;
        case Job.End.TooManyFailed tooMany -> Main.TOO_MANY_FAILED;
        case Job.End.Interrupted(int exitCode) -> exitCode;
      };
    }
  }

  private Job.End run(Items items, EmbeddingModel open) throws Exception {
    int size = multiVector ? open.info().multiVectorDim() : dimensions == 0 ? open.info().hiddenSize() : dimensions;
    Shape shape = new Shape(output.type(), size, multiVector, items.idType(), items.carried());
    Job job = new Job(open, model.options().maxBatchTokens() * open.runtime().devices(), items, this, output.maxFailures(), spec.commandLine().getErr(),
        output.progressSeconds());
    if (output.isStream()) return job.toStream(JsonLines.open(output.output()), shape);
    return job.toFiles(output.files(), output.start(), output.format(shape), settings(items, open), output.syncSeconds());
  }

  /** What decides about the result: names and values. */
  private Map<String, String> settings(Items items, EmbeddingModel open) throws IOException {
    Map<String, String> settings = new TreeMap<>(items.identity());
    for (ModelInfo.FileInfo file : open.info().files()) settings.put("model " + file.role(), Fingerprint.of(file.path()));
    settings.put(JobFiles.CPU_TIER, open.runtime().cpuTier());
    settings.put("--task", task.label());
    settings.put("--prompt", prompt.label());
    settings.put("--merged-task", String.valueOf(model.options().mergedTask()));
    settings.put("--device", model.options().device());
    settings.put("--precision", model.options().precision());
    settings.put("--dimensions", Integer.toString(dimensions));
    settings.put("--multi-vector", Boolean.toString(multiVector));
    settings.put("--image-tokens-only", Boolean.toString(imageTokensOnly));
    settings.put("--max-tokens", Integer.toString(maxTokens));
    settings.put("--truncate", Boolean.toString(truncate));
    output.settings(settings);
    input.settings(settings);
    pictures.settings(settings);
    return settings;
  }

  /** A task that the model serves: lines may name another than the option does, so that one is checked line by line. */
  private Task servedTask(EmbeddingModel open) {
    List<Task> tasks = open.info().tasks();
    return tasks.isEmpty() || tasks.contains(task) ? task : tasks.getFirst();
  }

  @Override
  public EmbeddingRequest text(Item item, String text) {
    return configured(EmbeddingRequest.text(text), item);
  }

  @Override
  public EmbeddingRequest picture(Item item, Source source) {
    return configured(pictures.request(pictures.picture(source)), item);
  }

  @Override
  public EmbeddingRequest page(Item item, PdfDocument pdf, int page) {
    return configured(pictures.request(pictures.page(pdf, page)), item);
  }

  @Override
  public long pictureBytes() {
    return pictures.patchBytes();
  }

  @Override
  public long vectorBytes(long characters) {
    return multiVector ? MULTI_VECTOR_BYTES * characters : DENSE_BYTES;
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
