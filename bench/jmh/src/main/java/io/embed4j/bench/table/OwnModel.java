package io.embed4j.bench.table;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.ThreadMXBean;
import io.embed4j.DenseEmbedding;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ImageInput;
import io.embed4j.ModelInfo;
import io.embed4j.ModelOptions;
import io.embed4j.Task;
import io.embed4j.TextTokenizer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/**
 * A process of its own around one open model, so that its memory is that of the model: opens it, says so, then answers
 * questions of {@link Child} until its input ends.
 *
 * <p>Arguments: the model; a tiny model to warm the Java code up with, or "-".
 */
final class OwnModel {
  private static final String WORDS = "The quick brown fox, 敏捷的棕色狐狸, der flinke braune Fuchs; x[i] += 42. ";
  private static final String QUERY = "Which planet of the solar system is known to us as the red?"; // 16 tokens with its prompt
  private static final int WIDTH = 896;
  private static final int HEIGHT = 672; // with WIDTH the model's max_pixels: 48 x 64 patches
  private static final int WARM_CALLS = 20_000;
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private final EmbeddingModel model;
  private final MethodHandle downcallNanos; // of libembed4j_timed; null with the plain library

  private OwnModel(EmbeddingModel model) {
    this.model = model;
    this.downcallNanos = downcallNanos();
  }

  public static void main(String[] arguments) throws IOException {
    if (!arguments[1].equals("-")) warm(Path.of(arguments[1]));
    Path path = Path.of(arguments[0]);
    ModelOptions options = ModelOptions.defaults();
    if (Files.isRegularFile(path)) options = options.mergedTask(Task.RETRIEVAL);
    long start = System.nanoTime();
    try (EmbeddingModel model = EmbeddingModel.open(path, options)) {
      double seconds = (System.nanoTime() - start) / 1e9;
      OwnModel own = new OwnModel(model);
      System.out.println(own.ready().put("open_seconds", seconds));
      BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line; (line = in.readLine()) != null; ) System.out.println(own.answer(line));
    }
  }

  private static void warm(Path tiny) {
    try (EmbeddingModel model = EmbeddingModel.open(tiny)) {
      for (int i = 0; i < WARM_CALLS; i++) model.embed(query());
    }
  }

  private ObjectNode ready() throws IOException {
    ModelInfo info = model.info();
    ObjectNode json = memory();
    long adapter = info.files().stream().filter(f -> f.role().startsWith("adapter-")).findFirst()
        .map(ModelInfo.FileInfo::parameters).orElse(0L);
    return json.put("cpu_tier", model.runtime().cpuTier()).put("threads", model.runtime().threads())
        .put("weight_bytes", model.runtime().weightBytes()).put("layer_bytes", info.layerBytes())
        .put("file_bytes", info.files().stream().mapToLong(ModelInfo.FileInfo::bytes).sum())
        .put("adapter_parameters", adapter).put("hidden", info.hiddenSize()).put("intermediate", info.intermediateSize())
        .put("layers", info.numHiddenLayers()).put("heads", info.numAttentionHeads())
        .put("key_value_heads", info.numKeyValueHeads()).put("head_dim", info.headDim());
  }

  private ObjectNode answer(String line) {
    String[] words = line.split(" ");
    try {
      return switch (words[0]) {
        case "text" -> embed(text(Integer.parseInt(words[1])));
        case "query" -> embed(query());
        case "page" -> embed(page());
        case "batch" -> batch(Integer.parseInt(words[1]), Integer.parseInt(words[2]), Integer.parseInt(words[3]));
        case "ids" -> ids(Integer.parseInt(words[1]));
        case "last" -> last();
        case "vector" -> vector(Integer.parseInt(words[1]));
        case "memory" -> memory();
        case "forget-peak" -> forgetPeak();
        default -> throw new IllegalArgumentException("no such question");
      };
    } catch (Throwable e) {
      return Child.JSON.createObjectNode().put("error", e.toString());
    }
  }

  private static EmbeddingRequest text(int tokens) {
    return EmbeddingRequest.text(WORDS.repeat(1 + tokens / 8)).maxTokens(tokens).truncate(true);
  }

  private static EmbeddingRequest query() {
    return EmbeddingRequest.text(QUERY);
  }

  private static EmbeddingRequest page() {
    byte[] rgb = new byte[3 * WIDTH * HEIGHT];
    for (int i = 0; i < rgb.length; i++) rgb[i] = (byte) (i / 3 % WIDTH * (i / (3 * WIDTH)) / 97 + i % 3 * 31);
    return EmbeddingRequest.image(ImageInput.ofRgb(WIDTH, HEIGHT, rgb));
  }

  private ObjectNode embed(EmbeddingRequest request) throws Throwable {
    long allocated = THREADS.getCurrentThreadAllocatedBytes();
    long start = System.nanoTime();
    DenseEmbedding embedding = model.embed(request).dense();
    long nanos = System.nanoTime() - start;
    allocated = THREADS.getCurrentThreadAllocatedBytes() - allocated;
    ObjectNode json = Child.JSON.createObjectNode().put("seconds", nanos / 1e9).put("tokens", embedding.tokens())
        .put("sha256", sha256(List.of(embedding)));
    // What is left when the vector itself, an array with its header, is taken off.
    json.put("garbage_bytes", allocated - 16 - 4L * embedding.dimensions());
    if (downcallNanos != null) json.put("outside_us", (nanos - (long) downcallNanos.invokeExact()) / 1e3);
    return json;
  }

  private ObjectNode batch(int count, int tokens, int tasks) {
    List<EmbeddingRequest> requests = new ArrayList<>();
    for (int i = 0; i < count; i++) requests.add(text(tokens).task(Task.values()[i % tasks]));
    long start = System.nanoTime();
    var outcomes = model.embedAll(requests);
    double seconds = (System.nanoTime() - start) / 1e9;
    return Child.JSON.createObjectNode().put("seconds", seconds)
        .put("sha256", sha256(outcomes.stream().map(o -> o.orThrow().dense()).toList()));
  }

  private ObjectNode ids(int tokens) {
    ObjectNode json = Child.JSON.createObjectNode();
    ArrayNode ids = json.putArray("ids");
    // The prompt that EmbeddingRequest puts before a query.
    int[] all = TextTokenizer.open(model.info().path()).encode("Query: " + WORDS.repeat(1 + tokens / 8), false);
    for (int id : Arrays.copyOf(all, tokens)) ids.add(id);
    return json;
  }

  /** Ids of a text and the final hidden state of the last, of length 1: what llama.cpp gives where no pooling is asked for. */
  private ObjectNode last() {
    ObjectNode json = Child.JSON.createObjectNode();
    ArrayNode ids = json.putArray("ids");
    TextTokenizer tokenizer = TextTokenizer.open(model.info().path());
    List<String> pieces = List.of(WORDS.repeat(2), "!");
    for (int id : tokenizer.encode("Query: " + pieces.getFirst(), false)) ids.add(id);
    for (int id : tokenizer.encode(pieces.getLast(), false)) ids.add(id);
    DenseEmbedding last = model.embed(EmbeddingRequest.lateChunks(pieces)).chunked().chunks().getLast();
    if (last.tokens() != 1) throw new AssertionError(last.tokens() + " tokens instead of 1");
    ArrayNode vector = json.putArray("vector");
    for (float value : last.toArray()) vector.add(value);
    return json;
  }

  private ObjectNode vector(int tokens) {
    ObjectNode json = Child.JSON.createObjectNode();
    ArrayNode vector = json.putArray("vector");
    for (float value : model.embed(text(tokens)).dense().toArray()) vector.add(value);
    return json;
  }

  private static ObjectNode memory() throws IOException {
    ObjectNode json = Child.JSON.createObjectNode();
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      String[] words = line.split("\\s+");
      if (words[0].equals("VmRSS:")) json.put("resident_bytes", 1024 * Long.parseLong(words[1]));
      if (words[0].equals("VmHWM:")) json.put("peak_resident_bytes", 1024 * Long.parseLong(words[1]));
    }
    return json;
  }

  /** From here on VmHWM counts anew (proc(5), clear_refs). */
  private static ObjectNode forgetPeak() throws IOException {
    Files.writeString(Path.of("/proc/self/clear_refs"), "5");
    return memory();
  }

  private static String sha256(List<DenseEmbedding> embeddings) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (DenseEmbedding e : embeddings) digest.update(e.segment().toArray(ValueLayout.JAVA_BYTE));
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  private static MethodHandle downcallNanos() {
    String library = System.getProperty("embed4j.library");
    if (library == null) return null;
    return SymbolLookup.libraryLookup(Path.of(library), Arena.global()).find("bench_embed_nanos")
        .map(symbol -> Linker.nativeLinker().downcallHandle(symbol, FunctionDescriptor.of(ValueLayout.JAVA_LONG))).orElse(null);
  }
}
