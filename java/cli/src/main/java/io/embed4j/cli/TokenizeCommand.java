package io.embed4j.cli;

import io.embed4j.EmbeddingException;
import io.embed4j.TextTokenizer;
import io.embed4j.cli.input.Item;
import io.embed4j.cli.input.Items;
import io.embed4j.cli.output.JsonLines;
import io.embed4j.cli.output.Origin;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "tokenize",
    description = "Token ids of texts, without a prompt. Writes {\"id\", \"ids\": [...]}, in input order.")
final class TokenizeCommand implements Callable<Integer> {
  private static final String NO_TOKENS = "only texts have token ids, expected \"text\"";

  @Option(names = {"-m", "--model"}, required = true, paramLabel = "MODEL",
      description = "A directory written by convert, or a lone text GGUF.")
  private Path model;

  @Option(names = "--special",
      description = "Recognise special tokens such as <|im_end|> inside the text; otherwise they are ordinary characters.")
  private boolean special;

  @Parameters(arity = "0..*", paramLabel = "TEXT", description = "Texts; their ids are 0, 1, ...")
  private List<String> texts = List.of();

  @Mixin
  private InputOptions input;

  @Override
  public Integer call() throws IOException {
    boolean failed = false;
    try (Items items = input.open(texts, false); JsonLines out = JsonLines.open("-")) {
      TextTokenizer tokenizer = TextTokenizer.open(model);
      for (Item item = items.next(); item != null; item = items.next()) {
        try {
          out.ids(item.id(), tokenizer.encode(text(item), special));
        } catch (EmbeddingException e) {
          failed = true;
          out.error(new Origin(item.id(), 0, List.of()), e);
        }
        if (!items.ready()) out.flush();
      }
    }
    return failed ? Main.SOME_FAILED : Main.DONE;
  }

  private static String text(Item item) {
    return switch (item.content()) {
      case Item.Content.Text(String text) -> text;
      case Item.Content.Failed(EmbeddingException error) -> throw error;
      case Item.Content.Picture picture -> throw new EmbeddingException(EmbeddingException.UNSUPPORTED, NO_TOKENS);
      case Item.Content.Pdf pdf -> throw new EmbeddingException(EmbeddingException.UNSUPPORTED, NO_TOKENS);
    };
  }
}
