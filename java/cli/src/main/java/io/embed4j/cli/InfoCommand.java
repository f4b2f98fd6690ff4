package io.embed4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.embed4j.ModelInfo;
import io.embed4j.Task;
import io.embed4j.cli.base.Json;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "info", description = "Shapes, types, adapters, tokenizer and sizes of a model.")
final class InfoCommand implements Runnable {
  @Parameters(paramLabel = "MODEL", description = "A directory written by convert, or a lone text GGUF.")
  private Path path;

  @Option(names = "--json", description = "As JSON.")
  private boolean json;

  @Spec
  private CommandSpec spec;

  @Override
  public void run() {
    ModelInfo info = ModelInfo.read(path);
    PrintWriter out = spec.commandLine().getOut();
    if (json) out.println(Json.pretty(json(info)));
    else print(info, out);
    out.flush();
  }

  /** For people. */
  static void print(ModelInfo info, PrintWriter out) {
    out.printf("%s (%s)%n", info.name(), info.path());
    out.printf("  decoder       %d layers, hidden %d, intermediate %d, %d heads of %d, %d key/value heads%n",
        info.numHiddenLayers(), info.hiddenSize(), info.intermediateSize(), info.numAttentionHeads(), info.headDim(),
        info.numKeyValueHeads());
    out.printf("  tasks         %s%n", tasks(info));
    out.printf("  dense         %d dimensions, or cut to one of %s%n", info.hiddenSize(), info.matryoshkaDims());
    out.printf("  multi-vector  %s%n",
        info.multiVectorDim() == 0 ? "none (multivector.gguf is missing)" : info.multiVectorDim() + " dimensions per token");
    out.printf(Locale.ROOT, "  tokenizer     %s/%s, %,d tokens, %,d merges%n", info.tokenizer().model(),
        info.tokenizer().pre(), info.tokenizer().tokens(), info.tokenizer().merges());
    for (ModelInfo.FileInfo file : info.files()) {
      out.printf(Locale.ROOT, "  %-24s %,10.1f MB %,15d parameters  %s%n", file.path().getFileName(), file.bytes() / 1e6,
          file.parameters(), file.tensorTypes().entrySet().stream()
              .map(type -> type.getValue() + " " + type.getKey()).collect(Collectors.joining(", ")));
    }
  }

  private static String tasks(ModelInfo info) {
    if (info.tasks().isEmpty()) return "unknown: no adapters, and its name does not say which task is merged (--merged-task)";
    String labels = info.tasks().stream().map(Task::label).collect(Collectors.joining(", "));
    return info.mergedTask().isPresent() ? labels + " (merged into the weights)" : labels;
  }

  private static ObjectNode json(ModelInfo info) {
    ObjectNode json = Json.MAPPER.createObjectNode();
    json.put("name", info.name()).put("path", info.path().toString());
    json.put("hidden_size", info.hiddenSize()).put("intermediate_size", info.intermediateSize())
        .put("num_hidden_layers", info.numHiddenLayers()).put("num_attention_heads", info.numAttentionHeads())
        .put("num_key_value_heads", info.numKeyValueHeads()).put("head_dim", info.headDim())
        .put("vocab_size", info.vocabSize()).put("max_position_embeddings", info.maxPositionEmbeddings())
        .put("multi_vector_dim", info.multiVectorDim()).put("layer_bytes", info.layerBytes());
    json.set("matryoshka_dims", Json.MAPPER.valueToTree(info.matryoshkaDims()));
    json.set("tasks", Json.MAPPER.valueToTree(info.tasks().stream().map(Task::label).toList()));
    json.put("merged_task", info.mergedTask().map(Task::label).orElse(null));
    json.putObject("tokenizer").put("model", info.tokenizer().model()).put("pre", info.tokenizer().pre())
        .put("tokens", info.tokenizer().tokens()).put("merges", info.tokenizer().merges());
    for (ModelInfo.FileInfo file : info.files()) {
      json.withArray("files").addObject().put("role", file.role()).put("path", file.path().toString())
          .put("bytes", file.bytes()).put("parameters", file.parameters())
          .set("tensor_types", Json.MAPPER.valueToTree(file.tensorTypes()));
    }
    return json;
  }
}
