package io.embed4j.cli;

import io.embed4j.Embedding;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ImageInput;
import io.embed4j.MultiVectorEmbedding;
import io.embed4j.Outcome;
import io.embed4j.PdfDocument;
import io.embed4j.Prompt;
import io.embed4j.SimilarityMap;
import io.embed4j.Task;
import io.embed4j.convert.Conversion;
import io.embed4j.convert.SynthCheckpoint;
import io.embed4j.convert.SynthConfig;
import io.embed4j.convert.WeightType;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
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
        + "in several languages, pictures and pages of a PDF, compare them, show where on a page a query's relevance lies.")
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
  private static final List<String> QUESTIONS = List.of(
      "How many clear nights were there in March?",
      "Was hat der Motor der Kuppel gekostet?",
      "revenue by region");
  private static final String LOOKED_FOR = QUESTIONS.getFirst();
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
      pages(open, out);
    }
    out.printf(Locale.ROOT, "Everything took %.1f s. The weights are synthetic: the similarities above carry no meaning.%n%n",
        (System.nanoTime() - start) / 1e9);
    out.println("The same with the real checkpoint (about 8 GB; mind its licence):");
    out.println();
    out.println("  hf download jinaai/jina-embeddings-v4 --local-dir jina-embeddings-v4");
    out.println("  ./embed4j convert jina-embeddings-v4 model --type q8_0");
    out.println("  ./embed4j embed -m model --task retrieval --prompt query \"" + QUERIES.getFirst() + "\"");
    out.println("  ./embed4j embed -m model --multi-vector --output pages.jsonl page.png scan.jpg report.pdf");
    out.println("  ./embed4j explain -m model --query \"" + LOOKED_FOR + "\" report.pdf --output map.png");
    out.flush();
  }

  /** A document's name and how it is embedded. */
  private record Document(String name, EmbeddingRequest request) {}

  private static void compare(EmbeddingModel open, Task task, List<String> left, List<String> right, PrintWriter out) {
    compare(open, task, left, right.stream()
        .map(text -> new Document(text, EmbeddingRequest.text(text).prompt(Prompt.PASSAGE))).toList(), false, out);
  }

  /** Scores of queries against documents, all embedded in one go. */
  private static List<Embedding> compare(EmbeddingModel open, Task task, List<String> queries, List<Document> documents,
      boolean lateInteraction, PrintWriter out) {
    List<EmbeddingRequest> requests = new ArrayList<>();
    for (String query : queries) requests.add(EmbeddingRequest.text(query).prompt(Prompt.QUERY));
    for (Document document : documents) requests.add(document.request);
    long start = System.nanoTime();
    List<Embedding> embeddings = open.embedAll(requests.stream()
        .map(request -> request.task(task).multiVector(lateInteraction)).toList()).stream().map(Outcome::orThrow).toList();
    double milliseconds = (System.nanoTime() - start) / 1e6;
    int tokens = embeddings.stream().mapToInt(Embedding::tokens).sum();
    out.printf(Locale.ROOT, "%s, task %s (%d inputs, %d tokens, %.0f ms)%n",
        lateInteraction ? "MaxSim of the multi-vectors, divided by the query's tokens" : "Cosine similarity", task,
        requests.size(), tokens, milliseconds);
    int column = 0;
    for (Document document : documents) {
      Embedding embedding = embeddings.get(queries.size() + column);
      String size = embedding.grid().map(grid ->
          " (" + grid.tokens() + " image tokens, " + grid.rows() + " x " + grid.columns() + ")").orElse("");
      out.printf("  [%d] %s%s%n", ++column, document.name.replace("\n", " "), size);
    }
    out.print("  ");
    for (int j = 0; j < documents.size(); j++) out.printf("%7s", "[" + (j + 1) + "]");
    out.println();
    for (int i = 0; i < queries.size(); i++) {
      out.print("  ");
      for (int j = 0; j < documents.size(); j++) {
        out.printf(Locale.ROOT, "%7.3f", similarity(embeddings.get(i), embeddings.get(queries.size() + j)));
      }
      out.println("   " + queries.get(i));
    }
    out.println();
    out.flush();
    return embeddings;
  }

  private static double similarity(Embedding query, Embedding document) {
    return query instanceof MultiVectorEmbedding multi
        ? multi.maxSim(document.multiVector()) / multi.rows()
        : query.dense().cosine(document.dense());
  }

  /** Bundled pictures and the pages of a bundled PDF beside texts, and where on a page one of the queries lies. */
  private void pages(EmbeddingModel open, PrintWriter out) {
    try (PdfDocument report = PdfDocument.open(bundled("report.pdf"))) {
      ImageInput first = report.page(1);
      List<Document> documents = List.of(
          new Document(PASSAGES.getFirst(), EmbeddingRequest.text(PASSAGES.getFirst()).prompt(Prompt.PASSAGE)),
          new Document("invoice.png", EmbeddingRequest.image(ImageInput.of(bundled("invoice.png")))),
          new Document("chart.jpg", EmbeddingRequest.image(ImageInput.of(bundled("chart.jpg")))),
          new Document("report.pdf, page 1", EmbeddingRequest.image(first)),
          new Document("report.pdf, page 2", EmbeddingRequest.image(report.page(2))));
      compare(open, Task.RETRIEVAL, QUESTIONS, documents, false, out);
      List<Embedding> multi = compare(open, Task.RETRIEVAL, QUESTIONS, documents, true, out);

      SimilarityMap map = SimilarityMap.of(multi.getFirst().multiVector(), multi.get(QUESTIONS.size() + 3).multiVector());
      Path picture = directory.resolve("similarity-map.png");
      ExplainCommand.write(map, first, picture);
      out.println("Where on report.pdf, page 1, is \"" + LOOKED_FOR + "\"? Similarity map:");
      out.println(picture);
      ExplainCommand.print(map, out);
      out.println();
      out.flush();
    }
  }

  private static byte[] bundled(String name) {
    try (InputStream in = QuickstartCommand.class.getResourceAsStream(name)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path cache() {
    String xdg = System.getenv("XDG_CACHE_HOME");
    return xdg != null && Path.of(xdg).isAbsolute() ? Path.of(xdg) : Path.of(System.getProperty("user.home"), ".cache");
  }
}
