package io.embed4j.bench;

import io.embed4j.DocumentVectors;
import io.embed4j.MaxSim;
import io.embed4j.VectorStorage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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
 * Time per page on one thread: a query against 256 pages of 704 rows, 92 MB as float32, 3 MB as bits, gone through in turn,
 * four pages a call (the plain loop: one), so that a call is short and its rows come from where so many pages lie. The
 * plain loop is the definition in Java, over float32 values on the heap. The answers are compared before anything is timed.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgsAppend = {"-Xmx2g", "--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 4)
public class MaxSimBenchmark {
  private static final int SIZE = 256;
  private static final int ROWS = 704;
  private static final int PART = 4;

  private final Arena arena = Arena.ofShared();
  private Pages pages;
  private DocumentVectors float32;
  private DocumentVectors int8;
  private DocumentVectors binary;
  private float[] query;
  private MemorySegment nativeQuery;
  private final MemorySegment scores = arena.allocate(ValueLayout.JAVA_FLOAT, PART);
  private int next;

  @Param({"16", "32"})
  public int queryRows;

  @Setup(Level.Trial)
  public void encode() {
    pages = new Pages(1, SIZE, ROWS, 1, queryRows, 0.8);
    query = pages.queries.getFirst().vectors();
    nativeQuery = arena.allocateFrom(ValueLayout.JAVA_FLOAT, query);
    float32 = DocumentVectors.encode(VectorStorage.FLOAT32, Pages.DIMENSIONS, pages.pages, arena);
    int8 = DocumentVectors.encode(VectorStorage.INT8, Pages.DIMENSIONS, pages.pages, arena);
    binary = DocumentVectors.encode(VectorStorage.BINARY, Pages.DIMENSIONS, pages.pages, arena);
    float[] rounded = decoded(VectorStorage.INT8, query);
    for (int p = 0; p < SIZE; p += 16) {
      float[] page = pages.pages.get(p);
      compare(float32, p, plainScore(query, page));
      compare(int8, p, plainScore(rounded, decoded(VectorStorage.INT8, page)));
      compare(binary, p, plainScore(rounded, decoded(VectorStorage.BINARY, page)));
    }
  }

  private static float[] decoded(VectorStorage storage, float[] vectors) {
    return storage.decode(storage.encode(vectors, Pages.DIMENSIONS), Pages.DIMENSIONS);
  }

  private void compare(DocumentVectors documents, int page, float expected) {
    float found = MaxSim.score(query, documents)[page];
    if (Math.abs(found - expected) > 1e-5 * queryRows) {
      throw new IllegalStateException(documents + ", page " + page + ": " + found + ", the plain loop has " + expected);
    }
  }

  @TearDown(Level.Trial)
  public void close() {
    arena.close();
  }

  @Benchmark
  @OperationsPerInvocation(PART)
  public MemorySegment float32() {
    return score(float32);
  }

  @Benchmark
  @OperationsPerInvocation(PART)
  public MemorySegment int8() {
    return score(int8);
  }

  @Benchmark
  @OperationsPerInvocation(PART)
  public MemorySegment binary() {
    return score(binary);
  }

  @Benchmark
  public float plainJava() {
    next = (next + 1) % SIZE;
    return plainScore(query, pages.pages.get(next));
  }

  private MemorySegment score(DocumentVectors documents) {
    next = (next + PART) % SIZE;
    MaxSim.score(nativeQuery, documents, next, next + PART, scores);
    return scores;
  }

  private static float plainScore(float[] query, float[] page) {
    float sum = 0;
    for (int q = 0; q < query.length; q += Pages.DIMENSIONS) {
      float best = Float.NEGATIVE_INFINITY;
      for (int r = 0; r < page.length; r += Pages.DIMENSIONS) {
        float dot = 0;
        for (int i = 0; i < Pages.DIMENSIONS; i++) dot += query[q + i] * page[r + i];
        best = Math.max(best, dot);
      }
      sum += best;
    }
    return sum;
  }
}
