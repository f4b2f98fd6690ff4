package io.embed4j.cli;

import io.embed4j.DenseEmbedding;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.Outcome;
import io.embed4j.Prompt;
import io.embed4j.Task;
import io.embed4j.convert.Conversion;
import io.embed4j.convert.SynthCheckpoint;
import io.embed4j.convert.SynthConfig;
import io.embed4j.convert.WeightType;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "quickstart",
    description = "Everything once, with nothing to download: write a tiny synthetic checkpoint, convert it, embed texts "
        + "in several languages under two tasks, compare them.")
final class QuickstartCommand implements Runnable {
  private static final List<String> QUERIES = List.of(
      "Which planet is called the red planet?",
      "Wie backt man Sauerteigbrot?",
      "如何用 Python 读取文件？");
  private static final List<String> PASSAGES = List.of(
      "Mars appears red because of iron oxide on its surface.",
      "Le levain remplace la levure : farine, eau, sel et une longue fermentation.",
      "with open(path, encoding=\"utf-8\") as f:\n    text = f.read()",
      "東京の桜は三月の終わりに満開になります。");
  private static final List<String> SENTENCES = List.of(
      "The cat sleeps on the warm roof.",
      "El gato duerme en el tejado caliente.",
      "القطة تنام على السطح الدافئ.",
      "Поезд отправляется в семь утра.",
      "ट्रेन सुबह सात बजे निकलती है।");

  @Option(names = "--dir", paramLabel = "DIR",
      description = "Where the checkpoint and the model are written; default: embed4j/quickstart in the user's cache folder.")
  private Path directory = cache().resolve("embed4j").resolve("quickstart");

  @Spec
  private CommandSpec spec;

  @Override
  public void run() {
    PrintWriter out = spec.commandLine().getOut();
    Path checkpoint = directory.resolve("tiny");
    Path model = directory.resolve("tiny-model");
    long start = System.nanoTime();

    out.println("1. Writing a synthetic checkpoint: the published layout and tokenizer, weights from a formula");
    out.flush();
    SynthCommand.write(new SynthCheckpoint(SynthConfig.TINY, "", SynthConfig.Style.FLAT), checkpoint, true, out);
    out.println();
    out.println("2. Converting it to GGUF");
    out.flush();
    ConvertCommand.run(Conversion.of(checkpoint), WeightType.BF16, model, true, out);
    out.println();

    try (EmbeddingModel open = EmbeddingModel.open(model)) {
      out.println("3. Opening it");
      InfoCommand.print(open.info(), out);
      out.printf("  runs on       CPU tier %s (this machine can run: %s), %d threads%n", open.runtime().cpuTier(),
          String.join(", ", open.runtime().cpuTiers()), open.runtime().threads());
      out.println();
      compare(open, Task.RETRIEVAL, QUERIES, PASSAGES, out);
      compare(open, Task.TEXT_MATCHING, SENTENCES, SENTENCES, out);
    }
    out.printf(Locale.ROOT, "Everything took %.1f s. The weights are synthetic: the similarities above carry no meaning.%n%n",
        (System.nanoTime() - start) / 1e9);
    out.println("The same with the real checkpoint (about 8 GB; mind its licence):");
    out.println();
    out.println("  hf download jinaai/jina-embeddings-v4 --local-dir jina-embeddings-v4");
    out.println("  ./embed4j convert jina-embeddings-v4 model --type q8_0");
    out.println("  ./embed4j embed -m model --task retrieval --prompt query \"" + QUERIES.getFirst() + "\"");
    out.flush();
  }

  private static void compare(EmbeddingModel open, Task task, List<String> left, List<String> right, PrintWriter out) {
    List<EmbeddingRequest> requests = new ArrayList<>();
    for (String text : left) requests.add(EmbeddingRequest.text(text).task(task).prompt(Prompt.QUERY));
    for (String text : right) requests.add(EmbeddingRequest.text(text).task(task).prompt(Prompt.PASSAGE));
    long start = System.nanoTime();
    List<DenseEmbedding> embeddings = open.embedAll(requests).stream().map(Outcome::orThrow).map(e -> e.dense()).toList();
    double milliseconds = (System.nanoTime() - start) / 1e6;
    int tokens = embeddings.stream().mapToInt(DenseEmbedding::tokens).sum();
    out.printf(Locale.ROOT, "Cosine similarity, task %s (%d texts, %d tokens, %.0f ms)%n", task, requests.size(), tokens,
        milliseconds);
    for (int j = 0; j < right.size(); j++) out.printf("  [%d] %s%n", j + 1, right.get(j).replace("\n", " "));
    out.print("  ");
    for (int j = 0; j < right.size(); j++) out.printf("%7s", "[" + (j + 1) + "]");
    out.println();
    for (int i = 0; i < left.size(); i++) {
      out.print("  ");
      for (int j = 0; j < right.size(); j++) {
        out.printf(Locale.ROOT, "%7.3f", embeddings.get(i).cosine(embeddings.get(left.size() + j)));
      }
      out.println("   " + left.get(i));
    }
    out.println();
    out.flush();
  }

  private static Path cache() {
    String xdg = System.getenv("XDG_CACHE_HOME");
    return xdg != null && Path.of(xdg).isAbsolute() ? Path.of(xdg) : Path.of(System.getProperty("user.home"), ".cache");
  }
}
