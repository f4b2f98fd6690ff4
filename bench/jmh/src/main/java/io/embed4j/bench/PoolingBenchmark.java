package io.embed4j.bench;

import io.embed4j.pooling.Matryoshka;
import io.embed4j.pooling.Similarity;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** What Java does with a dense vector of 2,048 values: cutting and scaling it, and the cosine of two. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class PoolingBenchmark {
  private static final int HIDDEN = 2048;

  @Param({"128", "2048"})
  public int dimensions;

  private final float[] mean = new float[HIDDEN];
  private float[] a;
  private float[] b;

  @Setup
  public void fill() {
    Random random = new Random(1);
    for (int i = 0; i < HIDDEN; i++) mean[i] = (float) random.nextGaussian();
    a = Matryoshka.unit(mean, dimensions);
    mean[0] += 1;
    b = Matryoshka.unit(mean, dimensions);
    double length = 0;
    for (float value : a) length += value * value;
    if (Math.abs(length - 1) > 1e-5) throw new IllegalStateException("length " + length);
  }

  @Benchmark
  public float[] unit() {
    return Matryoshka.unit(mean, dimensions);
  }

  @Benchmark
  public double cosine() {
    return Similarity.cosine(a, b);
  }
}
