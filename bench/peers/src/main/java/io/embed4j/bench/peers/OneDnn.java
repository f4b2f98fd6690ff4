package io.embed4j.bench.peers;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.bytedeco.dnnl.IntMemoryMap;
import org.bytedeco.dnnl.engine;
import org.bytedeco.dnnl.matmul;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.memory.data_type;
import org.bytedeco.dnnl.memory.format_tag;
import org.bytedeco.dnnl.reorder;
import org.bytedeco.dnnl.stream;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;

/**
 * oneDNN's bf16 matrix product, as a process that bench/run asks: "gemm M N K" is answered with the median seconds of c[M][N]
 * = a[M][K] x w[N][K] in float32. Rounding a to bf16 and packing w as oneDNN likes it happen outside the clock. Layers of
 * equal shape take turns, together larger than the caches, as in bench/native.
 */
final class OneDnn {
  private static final long TOGETHER = 96L << 20;
  private static final int LEAST_CALLS = 5;
  private static final double LEAST_SECONDS = 0.4;
  private static final int CHECKS = 64;

  private OneDnn() {}

  public static void main(String[] arguments) throws IOException {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = in.readLine()) != null; ) {
      String[] words = line.split(" ");
      try (PointerScope scope = new PointerScope()) {
        double seconds = gemm(Integer.parseInt(words[1]), Integer.parseInt(words[2]), Integer.parseInt(words[3]));
        System.out.println(String.format(Locale.ROOT, "{\"seconds\": %.9f}", seconds));
      } catch (RuntimeException e) {
        System.out.println("{\"error\": \"" + e.toString().replace("\"", "'") + "\"}");
      }
    }
  }

  /** Values that bf16 holds exactly. */
  private static float value(long index) {
    long mixed = index * 0x9E3779B97F4A7C15L;
    return (mixed >> 56) / 64f;
  }

  private static double gemm(int m, int n, int k) {
    engine cpu = new engine(engine.kind.cpu, 0);
    stream stream = new stream(cpu);
    memory.desc source = new memory.desc(new long[] {m, k}, data_type.bf16, format_tag.ab);
    memory.desc anyWeights = new memory.desc(new long[] {k, n}, data_type.bf16, format_tag.any);
    memory.desc target = new memory.desc(new long[] {m, n}, data_type.f32, format_tag.ab);
    matmul.primitive_desc description = new matmul.primitive_desc(cpu, source, anyWeights, target);
    matmul product = new matmul(description);

    memory a = new memory(source, cpu);
    convert(cpu, stream, new long[] {m, k}, format_tag.ab, (long) m * k, a);
    memory c = new memory(target, cpu);
    List<IntMemoryMap> layers = new ArrayList<>();
    for (long bytes = 0; bytes < TOGETHER; bytes += 2L * n * k) {
      memory w = new memory(description.weights_desc(), cpu);
      convert(cpu, stream, new long[] {k, n}, format_tag.ba, (long) k * n, w);
      layers.add(new IntMemoryMap().put(DNNL_ARG_SRC, a).put(DNNL_ARG_WEIGHTS, w).put(DNNL_ARG_DST, c));
    }
    product.execute(stream, layers.getFirst());
    stream._wait();
    check(new FloatPointer(c.get_data_handle()), m, n, k);

    double[] seconds = new double[0];
    double spent = 0;
    while (seconds.length < LEAST_CALLS || spent < LEAST_SECONDS) {
      long start = System.nanoTime();
      product.execute(stream, layers.get(seconds.length % layers.size()));
      stream._wait();
      double time = (System.nanoTime() - start) / 1e9;
      seconds = Arrays.copyOf(seconds, seconds.length + 1);
      seconds[seconds.length - 1] = time;
      spent += time;
    }
    Arrays.sort(seconds);
    return seconds[seconds.length / 2];
  }

  private static void convert(engine cpu, stream stream, long[] shape, format_tag order, long values, memory into) {
    try (PointerScope scope = new PointerScope()) {
      FloatPointer plain = new FloatPointer(values);
      for (long i = 0; i < values; i++) plain.put(i, value(i));
      memory from = new memory(new memory.desc(shape, data_type.f32, order), cpu, plain);
      new reorder(from, into).execute(stream, from, into);
      stream._wait();
    }
  }

  private static void check(FloatPointer c, int m, int n, int k) {
    for (int i = 0; i < CHECKS; i++) {
      long row = (long) i * (m - 1) / (CHECKS - 1);
      long column = (long) i * 7919 % n;
      double expected = 0;
      double sizes = 0;
      for (int j = 0; j < k; j++) {
        double term = (double) value(row * k + j) * value(column * k + j);
        expected += term;
        sizes += Math.abs(term);
      }
      float found = c.get(row * n + column);
      if (!(Math.abs(found - expected) <= 1e-5 * sizes)) {
        throw new IllegalStateException("c[" + row + "][" + column + "] is " + found + ", expected " + expected);
      }
    }
  }
}
