package io.embed4j.bench;

import io.embed4j.DenseEmbedding;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.Outcome;
import io.embed4j.Task;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A model through the Java API, adapters on: the latency of one query of 16 tokens with its percentiles, and a batch of 32
 * texts of all tasks, per text. Give the model with {@code -p model=DIR}; {@code -prof gc} adds the garbage per call. A text's
 * vector must be the same alone and in the batch before anything is timed.
 */
@State(Scope.Benchmark)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 1, jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 2, time = 5)
@Measurement(iterations = 3, time = 10)
public class QueryBenchmark {
  private static final int TOKENS = 16;
  private static final int BATCH = 32;

  @Param("")
  public String model;

  private EmbeddingModel open;
  private final EmbeddingRequest query =
      EmbeddingRequest.text("Which planet of the solar system is known to us as the red?");
  private final List<EmbeddingRequest> batch = new ArrayList<>();

  @Setup(Level.Trial)
  public void open() {
    if (model.isEmpty()) throw new IllegalArgumentException("name a model: -p model=DIR");
    open = EmbeddingModel.open(Path.of(model));
    batch.add(query);
    for (int i = 1; i < BATCH; i++) {
      String text = "Mars is red because of the iron oxide in its dust, as was found in " + (1900 + i) + ". ";
      batch.add(EmbeddingRequest.text(text.repeat(1 + i % 4)).task(Task.values()[i % Task.values().length]));
    }
    DenseEmbedding alone = open.embed(query).dense();
    if (alone.tokens() != TOKENS) throw new IllegalStateException("the query has " + alone.tokens() + " tokens, expected " + TOKENS);
    if (!Arrays.equals(alone.toArray(), open.embedAll(batch).getFirst().orThrow().dense().toArray())) {
      throw new IllegalStateException("the query's vector depends on its batch");
    }
  }

  @TearDown(Level.Trial)
  public void close() {
    open.close();
  }

  @Benchmark
  @BenchmarkMode(Mode.SampleTime)
  public DenseEmbedding query() {
    return open.embed(query).dense();
  }

  @Benchmark
  @BenchmarkMode(Mode.AverageTime)
  @OperationsPerInvocation(BATCH)
  public List<Outcome> batch() {
    return open.embedAll(batch);
  }
}
