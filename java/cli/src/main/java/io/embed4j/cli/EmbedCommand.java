package io.embed4j.cli;

import io.embed4j.ChunkedEmbedding;
import io.embed4j.DenseEmbedding;
import io.embed4j.Embedding;
import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.MultiVectorEmbedding;
import io.embed4j.Outcome;
import io.embed4j.Prompt;
import io.embed4j.Task;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "embed",
    description = "Embed texts. Writes {\"id\", \"embedding\": [...]}, {\"id\", \"embeddings\": [[...], ...]} or "
        + "{\"id\", \"error\": {\"code\", \"message\"}}, in input order.")
final class EmbedCommand implements Callable<Integer> {
  @Mixin
  private ModelArgument model;

  @Mixin
  private InputOptions input;

  @Option(names = "--task", paramLabel = "TASK", defaultValue = "retrieval", converter = Labels.OfTask.class,
      description = "retrieval (default), text-matching or code; a line's own \"task\" goes first.")
  private Task task;

  @Option(names = "--prompt", paramLabel = "PROMPT", defaultValue = "query", converter = Labels.OfPrompt.class,
      description = "query (default) or passage; a line's own \"prompt\" goes first.")
  private Prompt prompt;

  @Option(names = "--dimensions", paramLabel = "N",
      description = "Cut dense vectors to one of the sizes that info lists; default: full size.")
  private int dimensions;

  @Option(names = "--multi-vector", description = "One vector per token.")
  private boolean multiVector;

  @Option(names = "--max-tokens", paramLabel = "N", description = "Most tokens of a text; default: 32768.")
  private int maxTokens;

  @Option(names = "--truncate", description = "Keep the first tokens of a longer text; otherwise it is an error.")
  private boolean truncate;

  @Option(names = "--output", paramLabel = "FILE.jsonl|-", defaultValue = "-",
      description = "Where to write; default: standard output.")
  private String output;

  private boolean failed;

  @Override
  public Integer call() throws IOException {
    if (!output.equals("-")) input.requireOther(Path.of(output));
    try (Items items = input.open(); EmbeddingModel open = model.open()) {
      open.check(request("", servedTask(open), prompt));
      try (JsonLinesWriter out = JsonLinesWriter.open(output);
          Progress progress = Progress.ofItems("embed", input.count())) {
        for (List<Item> chunk = items.chunk(); !chunk.isEmpty(); chunk = items.chunk()) {
          embed(open, chunk, out);
          out.flush();
          progress.step(chunk.size());
        }
      }
    }
    return failed ? Main.SOME_FAILED : Main.DONE;
  }

  /** A task that the model serves: lines may name another than the option does, so that one is checked line by line. */
  private Task servedTask(EmbeddingModel open) {
    List<Task> tasks = open.info().tasks();
    return tasks.isEmpty() || tasks.contains(task) ? task : tasks.getFirst();
  }

  private void embed(EmbeddingModel open, List<Item> chunk, JsonLinesWriter out) {
    List<EmbeddingRequest> requests = new ArrayList<>();
    EmbeddingException[] errors = new EmbeddingException[chunk.size()];
    for (int i = 0; i < errors.length; i++) {
      Item item = chunk.get(i);
      try {
        if (item.error() != null) throw item.error();
        requests.add(request(item.text(), item.task() == null ? task : Task.of(item.task()),
            item.prompt() == null ? prompt : Prompt.of(item.prompt())));
      } catch (EmbeddingException e) {
        errors[i] = e;
      }
    }
    List<Outcome> outcomes = open.embedAll(requests);
    int next = 0;
    for (int i = 0; i < errors.length; i++) {
      write(chunk.get(i), errors[i] != null ? new Outcome.Failure(errors[i]) : outcomes.get(next++), out);
    }
  }

  private EmbeddingRequest request(String text, Task task, Prompt prompt) {
    return EmbeddingRequest.text(text).task(task).prompt(prompt).dimensions(dimensions).multiVector(multiVector)
        .maxTokens(maxTokens).truncate(truncate);
  }

  private void write(Item item, Outcome outcome, JsonLinesWriter out) {
    switch (outcome) {
      case Outcome.Success(Embedding embedding) -> {
        switch (embedding) {
          case DenseEmbedding dense -> out.dense(item.id(), dense);
          case MultiVectorEmbedding multi -> out.multiVector(item.id(), multi);
          case ChunkedEmbedding chunked -> throw new IllegalStateException("no line asks for late chunks");
        }
      }
      case Outcome.Failure(EmbeddingException error) -> {
        failed = true;
        out.error(item.id(), error);
      }
    }
  }
}
