package io.embed4j.bench.table;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** How much of the processors' time went to others than this process and its children since it was made (proc(5); Linux). */
final class Neighbours {
  private static final double TICKS = 100; // per second, USER_HZ

  private final long start = System.nanoTime();
  private final double all = all();
  private final double own = own();

  /** 0 .. 1: time of other processes, and what the hypervisor took, of what all processors had. */
  double share() {
    double had = (System.nanoTime() - start) / 1e9 * Runtime.getRuntime().availableProcessors();
    return Math.clamp((all() - all - (own() - own)) / had, 0, 1);
  }

  /** Seconds that all processors have worked, or were taken away: user, nice, system, irq, softirq, steal. */
  private static double all() {
    String[] words = read("/proc/stat").lines().findFirst().orElseThrow().split("\\s+");
    double ticks = 0;
    for (int field : new int[] {1, 2, 3, 6, 7, 8}) ticks += Double.parseDouble(words[field]);
    return ticks / TICKS;
  }

  /** Seconds of this process, of its children that have ended and of all that run. */
  private static double own() {
    String status = read("/proc/self/stat");
    String[] words = status.substring(status.lastIndexOf(')') + 2).split(" "); // from field 3 on
    double seconds = 0;
    for (int field : new int[] {14, 15, 16, 17}) seconds += Double.parseDouble(words[field - 3]) / TICKS;
    return seconds + ProcessHandle.current().descendants()
        .mapToDouble(child -> child.info().totalCpuDuration().orElse(Duration.ZERO).toNanos() / 1e9).sum();
  }

  private static String read(String file) {
    try {
      return Files.readString(Path.of(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
