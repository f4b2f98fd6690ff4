package io.embed4j.cli;

import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ImageInput;
import io.embed4j.MultiVectorEmbedding;
import io.embed4j.PatchGrid;
import io.embed4j.PdfDocument;
import io.embed4j.SimilarityMap;
import io.embed4j.Task;
import io.embed4j.cli.base.UnusableException;
import io.embed4j.cli.input.Source;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
    name = "explain",
    description = "Show where on a page a query's relevance lies: paints the similarity map over the page, as PNG, and "
        + "prints the best places.")
final class ExplainCommand implements Callable<Integer> {
  private static final int PLACES = 5;

  @Parameters(paramLabel = "FILE", description = "A picture or a PDF.")
  private String file;

  @Mixin
  private ModelArgument model;

  @Mixin
  private PictureOptions pictures;

  @Option(names = "--query", required = true, paramLabel = "TEXT", description = "What is looked for.")
  private String query;

  @Option(names = "--page", paramLabel = "N", description = "Page of a PDF, from 1; default: 1.")
  private Integer page;

  @Option(names = "--task", paramLabel = "TASK", defaultValue = "retrieval", converter = Labels.OfTask.class,
      description = "retrieval (default), text-matching or code.")
  private Task task;

  @Option(names = "--output", required = true, paramLabel = "MAP.png", description = "The picture to write.")
  private Path output;

  @Spec
  private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    boolean isPdf = Source.namesPdf(file);
    if (page != null && !isPdf) throw new ParameterException(spec.commandLine(), "--page is for a PDF");
    if (Files.exists(output) && Files.exists(Path.of(file)) && Files.isSameFile(output, Path.of(file))) {
      throw new ParameterException(spec.commandLine(), "--output is the page itself");
    }
    try (EmbeddingModel open = model.open()) {
      pictures.check(open, task);
      if (!isPdf) return explain(open, pictures.picture(new Source(file)));
      try (PdfDocument pdf = new Source(file).pdf()) {
        return explain(open, pictures.page(pdf, page == null ? 1 : page));
      }
    }
  }

  private int explain(EmbeddingModel open, ImageInput picture) throws IOException {
    MultiVectorEmbedding words =
        open.embed(EmbeddingRequest.text(query).task(task).multiVector(true)).multiVector();
    MultiVectorEmbedding patches = open.embed(pictures.request(picture).task(task).multiVector(true)).multiVector();
    SimilarityMap map = SimilarityMap.of(words, patches);
    write(map, picture, output);
    PrintWriter out = spec.commandLine().getOut();
    out.println(output);
    print(map, out);
    out.printf(Locale.ROOT, "MaxSim %.4f over %d query tokens%n", words.maxSim(patches), words.rows());
    out.flush();
    return Main.DONE;
  }

  /** Paints the whole picture before the file is touched. */
  static void write(SimilarityMap map, ImageInput picture, Path output) {
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    map.writePng(picture, png);
    try {
      Files.write(output, png.toByteArray());
    } catch (IOException e) {
      throw new UnusableException("cannot write " + output + ": " + e.getMessage(), e);
    }
  }

  /** The best places, in percent of the page's sides. */
  static void print(SimilarityMap map, PrintWriter out) {
    PatchGrid grid = map.grid();
    List<SimilarityMap.Place> best = map.best(PLACES);
    out.printf("best of %d x %d places (rows x columns), in %% of the page from its top left corner:%n", grid.rows(),
        grid.columns());
    for (int i = 0; i < best.size(); i++) {
      SimilarityMap.Place place = best.get(i);
      double width = 100.0 / grid.columns();
      double height = 100.0 / grid.rows();
      out.printf(Locale.ROOT, "  %d.  %7.4f   left %2.0f .. %3.0f   top %2.0f .. %3.0f   (row %d, column %d)%n", i + 1,
          place.score(), place.column() * width, (place.column() + 1) * width, place.row() * height,
          (place.row() + 1) * height, place.row(), place.column());
    }
  }
}
