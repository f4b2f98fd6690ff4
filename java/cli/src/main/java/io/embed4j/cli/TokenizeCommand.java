package io.embed4j.cli;

import io.embed4j.EmbeddingException;
import io.embed4j.TextTokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "tokenize",
    description = "Token ids of texts, without a prompt. Writes {\"id\", \"ids\": [...]}, in input order.")
final class TokenizeCommand implements Callable<Integer> {
  @Option(names = {"-m", "--model"}, required = true, paramLabel = "MODEL",
      description = "A directory written by convert, or a lone text GGUF.")
  private Path model;

  @Option(names = "--special",
      description = "Recognise special tokens such as <|im_end|> inside the text; otherwise they are ordinary characters.")
  private boolean special;

  @Mixin
  private InputOptions input;

  @Override
  public Integer call() throws IOException {
    boolean failed = false;
    try (Items items = input.open(); JsonLinesWriter out = JsonLinesWriter.open("-")) {
      TextTokenizer tokenizer = TextTokenizer.open(model);
      for (List<Item> chunk = items.chunk(); !chunk.isEmpty(); chunk = items.chunk()) {
        for (Item item : chunk) {
          try {
            if (item.error() != null) throw item.error();
            out.ids(item.id(), tokenizer.encode(item.text(), special));
          } catch (EmbeddingException e) {
            failed = true;
            out.error(item.id(), e);
          }
        }
        out.flush();
      }
    }
    return failed ? Main.SOME_FAILED : Main.DONE;
  }
}
