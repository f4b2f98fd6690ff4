package io.embed4j.ffm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * What the native library says of itself and of this machine.
 *
 * @param defaultThreads processors this process may use (affinity mask and cgroup quota)
 * @param cpuTier the instruction tier in use, such as scalar, avx2, avx512
 * @param cpuTiers every tier this machine can run, lowest first
 * @param libraryVersion version of the native library
 */
public record SystemInfo(int defaultThreads, String cpuTier, List<String> cpuTiers, String libraryVersion) {

  /** Asks the library, loading it if need be. Fails when EMBED4J_CPU_TIER names a tier that this machine lacks. */
  public static SystemInfo read() {
    Functions functions = NativeLibrary.functions();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = Layouts.allocate(arena, Layouts.SYSTEM_INFO);
      Calls.check(error -> (int) functions.getSystemInfo.invokeExact(info, error));
      return new SystemInfo(
          Layouts.getInt(info, Layouts.SYSTEM_INFO, "default_threads"),
          Layouts.getText(info, Layouts.SYSTEM_INFO, "cpu_tier"),
          List.of(Layouts.getText(info, Layouts.SYSTEM_INFO, "cpu_tiers").trim().split(" +")),
          Layouts.getText(info, Layouts.SYSTEM_INFO, "library_version"));
    }
  }
}
