package io.embed4j.ffm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What crossing to C costs, with the library's own handles (hence this package): a call that does nothing, and a checked one. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class DowncallBenchmark {
  private final Functions functions = NativeLibrary.functions();
  private final Arena arena = Arena.ofShared();
  private final MemorySegment error = Layouts.allocate(arena, Layouts.ERROR);
  private final MemorySegment bytes = arena.allocate(ValueLayout.JAVA_LONG);

  @TearDown
  public void close() {
    arena.close();
  }

  @Benchmark
  public int empty() throws Throwable {
    return (int) functions.abiVersion.invokeExact();
  }

  @Benchmark
  public long checked() {
    Calls.check(error, e -> (int) functions.rowBytes.invokeExact(8, 2048L, bytes, e));
    return bytes.get(ValueLayout.JAVA_LONG, 0);
  }
}
