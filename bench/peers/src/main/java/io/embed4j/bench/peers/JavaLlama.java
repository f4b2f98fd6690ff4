package io.embed4j.bench.peers;

import de.kherud.llama.LlamaModel;
import de.kherud.llama.ModelParameters;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** java-llama.cpp on a GGUF, as a process that bench/run asks: "text N" is answered with the seconds of about N tokens. */
final class JavaLlama {
  private static final int CONTEXT = 8448;

  private JavaLlama() {}

  public static void main(String[] arguments) throws IOException {
    int threads = Runtime.getRuntime().availableProcessors();
    ModelParameters parameters = new ModelParameters().setModel(arguments[0]).enableEmbedding().setThreads(threads)
        .setThreadsBatch(threads).setCtxSize(CONTEXT).setBatchSize(CONTEXT).setUbatchSize(CONTEXT);
    try (LlamaModel model = new LlamaModel(parameters)) {
      System.out.println("{\"ready\": true}");
      BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line; (line = in.readLine()) != null; ) {
        String text = " a".repeat(Integer.parseInt(line.split(" ")[1])); // a token each
        long start = System.nanoTime();
        model.embed(text);
        System.out.println(String.format(Locale.ROOT, "{\"seconds\": %.6f}", (System.nanoTime() - start) / 1e9));
      }
    }
  }
}
