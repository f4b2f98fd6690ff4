package io.embed4j.bench;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.embed4j.tokenizer.Tokenizer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A megabyte of text to ids on one thread: ours against Hugging Face's Rust tokenizer through DJL, each through the
 * call its users make. Both answers are compared before anything is timed.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 5, time = 2)
@Measurement(iterations = 5, time = 4)
@Fork(
    value = 1,
    jvmArgsAppend = {"-Xmx4g", "--enable-native-access=ALL-UNNAMED", "-Dai.djl.offline=true", "-DOPT_OUT_TRACKING=true"})
public class TokenizerBenchmark {
  @Param({"recombined", "repeated"})
  public String corpus;

  private String text;
  private Tokenizer tokenizer;
  private HuggingFaceTokenizer djl;

  @Setup(Level.Trial)
  public void setUp() throws IOException {
    byte[] json = tokenizerJson();
    tokenizer = tokenizer(new ObjectMapper().readTree(json));
    djl = HuggingFaceTokenizer.newInstance(
        new ByteArrayInputStream(json),
        Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false"));
    Texts texts = Texts.bundled();
    text = corpus.equals("repeated") ? texts.repeated() : texts.recombined();
    int[] ours = embed4j();
    long[] theirs = djl();
    if (!Arrays.equals(Arrays.stream(ours).asLongStream().toArray(), theirs)) {
      throw new IllegalStateException(
          "the ids differ: " + ours.length + " of ours, " + theirs.length + " of theirs");
    }
    System.out.printf(
        "%n%s: %d chars, %d ids, the same from both; hash %08x%n",
        corpus, text.length(), ours.length, Arrays.hashCode(ours));
  }

  @TearDown(Level.Trial)
  public void tearDown() {
    djl.close();
  }

  @Benchmark
  public int[] embed4j() {
    return tokenizer.encode(text, true);
  }

  @Benchmark
  public long[] djl() {
    return djl.encode(text, false, false).getIds();
  }

  private static byte[] tokenizerJson() throws IOException {
    try (InputStream in = new GZIPInputStream(
        TokenizerBenchmark.class.getResourceAsStream("/io/embed4j/convert/tokenizer.json.gz"))) {
      return in.readAllBytes();
    }
  }

  private static Tokenizer tokenizer(JsonNode root) {
    JsonNode vocabulary = root.at("/model/vocab");
    JsonNode added = root.get("added_tokens");
    String[] tokens = new String[vocabulary.size() + added.size()];
    int[] types = new int[tokens.length];
    vocabulary.properties().forEach(entry -> {
      tokens[entry.getValue().asInt()] = entry.getKey();
      types[entry.getValue().asInt()] = 1;
    });
    for (JsonNode token : added) {
      tokens[token.get("id").asInt()] = token.get("content").asText();
      types[token.get("id").asInt()] = token.get("special").asBoolean() ? 3 : 4;
    }
    List<String> merges = new ArrayList<>();
    for (JsonNode merge : root.at("/model/merges")) {
      merges.add(merge.isArray() ? merge.get(0).asText() + " " + merge.get(1).asText() : merge.asText());
    }
    return Tokenizer.of(tokens, types, merges.toArray(String[]::new));
  }
}
